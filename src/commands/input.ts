import { fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { MlogError } from '../errors.ts';

/** What a command reads. */
export interface Input {
  /** The path, or `stdin`. */
  readonly name: string;
  readonly stream: Readable;
}

/** How much one read of a file brings. */
const highWaterMark = 256 * 1024;

/**
 * Opens a file to read, or stdin where there is none or it is `-`. Throws `usage` where it cannot be
 * read. A folder is told here: Node gives a folder as stdin as an empty input.
 */
export async function openInput(file = '-'): Promise<Input> {
  const name = file === '-' ? 'stdin' : file;
  try {
    const handle = file === '-' ? undefined : await open(file);
    const found = handle ? await handle.stat() : fstatSync(0);
    if (found.isDirectory()) throw new MlogError('usage', `${name} is a folder, not a file.`);
    return { name, stream: handle?.createReadStream({ highWaterMark }) ?? process.stdin };
  } catch (error) {
    throw toInputError(error, name);
  }
}

/** Says why an input could not be read; what is no error of the system stays as it is. */
export function toInputError(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  return new MlogError('usage', `${name} cannot be read: ${error.message}.`, { cause: error });
}
