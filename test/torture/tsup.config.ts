import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { torture: 'test/torture/torture.ts', abusers: 'test/torture/abusers.ts' },
  outDir: 'dist/torture',
  format: 'esm',
  target: 'node20',
  splitting: false,
  // Packages in CommonJS, which ask for Node's own modules by `require`.
  external: [/^@grpc\//],
  silent: true,
});
