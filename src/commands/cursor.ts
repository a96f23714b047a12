import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { MlogError } from '../errors.ts';
import { parseWholeNumber } from '../setting-kinds.ts';

/** A file that keeps the position of a reader. */
export interface Cursor {
  /** The `seq` that was kept when the file was opened; undefined in a new one. */
  readonly seq: number | undefined;
  /**
   * Keeps a later position; from then on a killed process does not forget it. Throws
   * `failed_precondition` where the file cannot be written.
   */
  save(seq: number): void;
  close(): void;
}

/** Opens a cursor, made if it is not there. Throws `usage` where the file cannot be one. */
export function openCursor(path: string): Cursor {
  let file: number;
  let seq: number | undefined;
  try {
    closeSync(openSync(path, 'a', 0o600));
    // A pipe or a device would be read without end.
    if (!statSync(path).isFile()) throw new Error('it is not a file');
    seq = parseCursor(readFileSync(path, 'utf8'), path);
    // Not for appending: a position replaces the one before.
    file = openSync(path, 'r+');
    const kept = seq === undefined ? '' : `${seq}\n`;
    writeSync(file, kept, 0);
    ftruncateSync(file, kept.length);
  } catch (error) {
    if (error instanceof MlogError) throw error;
    throw new MlogError('usage', `--cursor ${path} cannot be used: ${(error as Error).message}.`, {
      hint: 'Name a file that this user may write, such as ./mlog.cursor.',
      cause: error,
    });
  }
  return {
    seq,
    // In place and in one write: positions rise, so nothing of the one before is left behind it.
    save(later) {
      try {
        writeSync(file, `${later}\n`, 0);
      } catch (error) {
        throw saveError(error, path, later);
      }
    },
    close: () => closeSync(file),
  };
}

/** The line is printed and its position is not kept, so the next call prints it once more. */
function saveError(error: unknown, path: string, seq: number): MlogError {
  const reason = (error as Error).message;
  return new MlogError('failed_precondition', `--cursor ${path} cannot be written: ${reason}.`, {
    hint: `Message ${seq} was printed; set the file to ${seq}, or the next call prints it again.`,
    cause: error,
  });
}

function parseCursor(text: string, path: string): number | undefined {
  if (text === '') return undefined;
  const seq = parseWholeNumber(text.trimEnd(), 0, Number.MAX_SAFE_INTEGER);
  if (seq !== undefined) return seq;
  throw new MlogError('usage', `--cursor ${path} holds something else than a position.`, {
    hint: 'It was left as it is. Name another file, or one that is not there yet.',
  });
}
