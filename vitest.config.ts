import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // The store's thread and the end-to-end tests run the built program: it is built once, first.
    globalSetup: 'test/support/build.ts',
    testTimeout: 30_000,
    // Tests wait half of the time, for a retry or a restart, so one more than there are processors.
    maxWorkers: availableParallelism() + 1,
    // A worker loads modules once for all of its files, which saves 20 s of processor time.
    isolate: false,
    reporters: process.env['CI']
      ? ['default', ['json', { outputFile: 'coverage/tests.json' }]]
      : ['default'],
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] },
      },
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 90_000 },
      },
    ],
  },
});
