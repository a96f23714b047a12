import { fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { MlogError } from '../errors.ts';

/** What a command reads from. */
export interface Input {
  /** The path, or `stdin`. */
  readonly name: string;
  readonly stream: Readable;
}

/** How much one read of a file returns. */
const highWaterMark = 256 * 1024;

/**
 * Opens a file for reading, or stdin if `file` is missing or `-`. Throws `usage` if it cannot be
 * read. A folder is refused here, because Node reads a folder on stdin as empty.
 */
export async function openInput(file = '-'): Promise<Input> {
  const name = file === '-' ? 'stdin' : file;
  try {
    const handle = file === '-' ? undefined : await open(file);
    const stats = handle ? await handle.stat() : fstatSync(0);
    if (stats.isDirectory()) throw new MlogError('usage', `${name} is a folder, not a file.`);
    return { name, stream: handle?.createReadStream({ highWaterMark }) ?? process.stdin };
  } catch (error) {
    throw toInputError(error, name);
  }
}

/**
 * Returns the error for an input that could not be read. Errors of other origins are returned
 * unchanged.
 */
export function toInputError(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  return new MlogError('usage', `${name} cannot be read: ${error.message}.`, { cause: error });
}
