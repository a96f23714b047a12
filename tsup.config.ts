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

/** Leaves out undici's HTTP/2: mlog speaks HTTP/1.1, and loading `node:http2` takes 9 ms. */
const noHttp2: Plugin = {
  name: 'no-http2',
  setup(build) {
    build.onLoad({ filter: /undici\/lib\/dispatcher\/client-h2\.js$/ }, () => ({
      contents: 'module.exports = undefined;',
    }));
  },
};

/** Leaves the packages of gRPC in a file of their own, read when the code that uses them first runs. */
const grpcApart: Plugin = {
  name: 'grpc-apart',
  setup(build) {
    build.onResolve({ filter: /^@(?:grpc|bufbuild)\// }, ({ path }) => ({
      path,
      namespace: 'grpc',
    }));
    build.onLoad({ filter: /.*/, namespace: 'grpc' }, ({ path }) => ({
      contents: `module.exports = require('./grpc.cjs')['${path}'];`,
    }));
    build.onResolve({ filter: /^\.\/grpc\.cjs$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** Leaves out the loader of .proto files, which gRPC's own admin services alone would ask for. */
const noProtoLoader: Plugin = {
  name: 'no-proto-loader',
  setup(build) {
    build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ path }) => ({
      path,
      namespace: 'none',
    }));
    build.onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: '' }));
  },
};

const program: Options = {
  entry: { mlog: 'src/mlog.ts' },
  format: 'esm',
  target: 'node20',
  // Nothing is fetched at an install but the SQLite driver, which has native parts.
  noExternal: [/^(?!@photostructure\/sqlite$)/],
  splitting: false,
  removeNodeProtocol: false,
  esbuildPlugins: [lazyBuiltins, noHttp2, grpcApart],
  // Packages in CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  silent: true,
};

const grpcPackages: Options = {
  entry: { grpc: 'src/grpc/packages.ts' },
  format: 'cjs',
  target: 'node20',
  noExternal: [/.*/],
  esbuildPlugins: [noProtoLoader],
  silent: true,
};

export default defineConfig([program, grpcPackages]);
