import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { mlog: 'src/mlog.ts' },
  format: 'esm',
  target: 'node20',
  // One file: an install fetches nothing else but the SQLite driver, which has native parts.
  noExternal: [/^(?!@photostructure\/sqlite$)/],
  splitting: false,
  // Packages in CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  silent: true,
});
