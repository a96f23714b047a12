import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { MlogError } from '../../errors.ts';

// What a new file in the place of a store needs. It stands apart from what needs SQLite, which only the
// thread of the store loads.

/** Throws `failed_precondition` where a log lies at a path at which there is to be a new store. */
export function checkNoLoneLog(path: string): void {
  if (!existsSync(`${path}-wal`)) return;
  throw new MlogError('failed_precondition', `The store ${path} is gone, its -wal file is not.`, {
    hint: 'Put the file back, or move the -wal file away to begin a new store.',
  });
}

/** Syncs a file to its disk. */
export async function syncFile(path: string, flags = 'r+'): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Syncs the names in a folder to its disk. */
export async function syncFolder(path: string): Promise<void> {
  // Windows opens no folder, and keeps the names in it without being asked.
  if (process.platform !== 'win32') await syncFile(path, 'r');
}
