import { readFile } from 'node:fs/promises';
import { defineConfig, type Options } from 'tsup';

type Plugin = NonNullable<Options['esbuildPlugins']>[number];

/**
 * Loads Node's own modules when the code that uses them first runs. As imports they would all stand
 * at the top of the one file, and `mlog send` would load what only the services need.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : { path, external: true },
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
  },
};

/**
 * Leaves out what mlog never comes to: undici's HTTP/2, for which `node:http2` takes 9 ms to load,
 * and the processes that commander starts for commands that are programs of their own, 1.3 ms.
 */
const noUnused: Plugin = {
  name: 'no-unused',
  setup(build) {
    build.onLoad({ filter: /undici\/lib\/dispatcher\/client-h2\.js$/ }, () => ({
      contents: 'module.exports = undefined;',
    }));
    build.onResolve({ filter: /^node:child_process$/ }, ({ path, importer }) =>
      /\/commander\//.test(importer) ? { path, namespace: 'none' } : undefined,
    );
    // gRPC's own admin services alone would load .proto files.
    build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ path }) => ({
      path,
      namespace: 'none',
    }));
    build.onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: '' }));
  },
};

/**
 * Mends what is mended in undici 8 alone, which needs a newer Node than mlog does: a connection that
 * ends while the reader of its reply has paused ended the whole process, by an assertion in `finish`
 * (https://github.com/nodejs/undici/issues/5360). What the parser holds back is let go first.
 */
const pausedEnd: Plugin = {
  name: 'paused-end',
  setup(build) {
    build.onLoad({ filter: /undici\/lib\/dispatcher\/client-h1\.js$/ }, async ({ path }) => {
      const pieces = (await readFile(path, 'utf8')).split(`assert(!this.paused)

    const { llhttp } = this

    let ret
`);
      if (pieces.length !== 2) throw new Error(`${path} is another one: is it mended there?`);
      return {
        contents: pieces.join(`const { llhttp } = this

    if (this.paused) {
      let chunk = EMPTY_BUF
      while (chunk !== null && this.statusCode && this.ptr != null) {
        llhttp.llhttp_resume(this.ptr)
        this.paused = false
        chunk = this.socket.read()
        this.execute(chunk || EMPTY_BUF)
      }
      if (!this.statusCode || this.ptr == null) return null
      llhttp.llhttp_resume(this.ptr)
      this.paused = false
    }

    let ret
`),
      };
    });
  },
};

/** Packages that stand in files of their own, read when the code that uses them first runs. */
const apart = { grpc: /^@(?:grpc|bufbuild)\//, undici: /^undici\//, pino: /^pino$/ };

const packagesApart: Plugin = {
  name: 'packages-apart',
  setup(build) {
    for (const [file, filter] of Object.entries(apart)) {
      build.onResolve({ filter }, ({ path }) => ({ path, namespace: file }));
      build.onLoad({ filter: /.*/, namespace: file }, ({ path }) => ({
        // What a package in CommonJS exports as a whole stands under "default" there.
        contents: `const found = require('./${file}.cjs')['${path}'];
          module.exports = found.default ?? found;`,
      }));
      build.onResolve({ filter: new RegExp(`^\\./${file}\\.cjs$`) }, ({ path }) => ({
        path,
        external: true,
      }));
    }
  },
};

const program: Options = {
  // The thread of the store is a program of its own.
  entry: { mlog: 'src/mlog.ts', 'sqlite-worker': 'src/store/sqlite/worker.ts' },
  format: 'esm',
  target: 'node20',
  // Nothing is fetched at an install but the SQLite driver, which has native parts.
  noExternal: [/^(?!@photostructure\/sqlite$)/],
  splitting: false,
  removeNodeProtocol: false,
  esbuildPlugins: [noUnused, lazyBuiltins, packagesApart],
  // Packages in CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  silent: true,
};

const packages: Options = {
  entry: {
    grpc: 'src/grpc/packages.ts',
    undici: 'src/http/client/packages.ts',
    pino: 'src/observe/packages.ts',
  },
  format: 'cjs',
  target: 'node20',
  noExternal: [/.*/],
  splitting: false,
  removeNodeProtocol: false,
  esbuildPlugins: [noUnused, pausedEnd, lazyBuiltins],
  silent: true,
};

export default defineConfig([program, packages]);
