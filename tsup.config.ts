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

export default defineConfig({
  entry: { mlog: 'src/mlog.ts' },
  format: 'esm',
  target: 'node20',
  // One file: an install fetches nothing else but the SQLite driver, which has native parts.
  noExternal: [/^(?!@photostructure\/sqlite$)/],
  splitting: false,
  removeNodeProtocol: false,
  esbuildPlugins: [lazyBuiltins, noHttp2],
  // Packages in CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  silent: true,
});
