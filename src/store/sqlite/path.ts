import { readlink, realpath } from 'node:fs/promises';
import { hasErrno, MlogError } from '../../errors.ts';

/**
 * Resolves the links to a store, because SQLite keeps the log beside the file, not beside a link. A
 * path with nothing there stays as it is.
 */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined) return path;
  throw new MlogError(
    'failed_precondition',
    `The store ${path} is a link to ${target}, where nothing is.`,
    { hint: 'Restore the file or its disk, or remove the link to start with an empty store.' },
  );
}
