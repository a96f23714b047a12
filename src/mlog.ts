import { isMainThread } from 'node:worker_threads';

// The one bundled file is the program and, on a worker thread, the SQLite connection of the store.
if (isMainThread) {
  const { main } = await import('./cli.ts');
  await main(process.argv);
} else {
  await import('./store/sqlite-worker.ts');
}
