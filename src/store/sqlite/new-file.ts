import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { MlogError } from '../../errors.ts';

// What a new file in the place of a store needs. It is apart from what needs SQLite, which only the
// thread of the store loads.

/** Throws `failed_precondition` if a log is at the path of a store that is to be created. */
export function checkNoLoneLog(path: string): void {
  if (!existsSync(`${path}-wal`)) return;
  throw new MlogError(
    'failed_precondition',
    `The store ${path} is missing, but its -wal file is there.`,
    {
      hint: 'Restore the file, or move the -wal file away to start a new store.',
    },
  );
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
  // Windows cannot open folders, and keeps their names durable by itself.
  if (process.platform !== 'win32') await syncFile(path, 'r');
}
