import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { MlogError } from '../../errors.ts';
import { parseWholeNumber } from '../../quantity.ts';

/** A position as a cursor file holds it. */
export interface CursorPosition {
  readonly seq: number;
  /** The id of the journal; undefined if unknown, as in a file of an older version. */
  readonly journal: string | undefined;
}

/** A file that holds the position of a reader: its `seq` and the id of the journal. */
export interface Cursor {
  /** What the file held when it was opened; undefined for a new file. */
  readonly kept: CursorPosition | undefined;
  /**
   * Saves a later position in the same journal, which then survives `kill -9`. Throws
   * `failed_precondition` if the file cannot be written, as on a full disk.
   */
  save(later: CursorPosition): void;
  close(): void;
}

/** Opens a cursor file, created if it is missing. Throws `usage` if it cannot be one. */
export function openCursor(path: string): Cursor {
  let file: number;
  let kept: CursorPosition | undefined;
  let text = '';
  try {
    closeSync(openSync(path, 'a', 0o600));
    // A pipe or a device might have no end.
    if (!statSync(path).isFile()) throw new Error('it is not a file');
    kept = parseCursor(readFileSync(path, 'utf8'), path);
    // Not in append mode, because a position replaces the last one.
    file = openSync(path, 'r+');
    text = kept === undefined ? '' : toText(kept);
    writeSync(file, text, 0);
    ftruncateSync(file, text.length);
  } catch (error) {
    if (error instanceof MlogError) throw error;
    throw new MlogError('usage', `--cursor ${path} cannot be used: ${(error as Error).message}.`, {
      hint: 'Name a file that this user may write, such as ./mlog.cursor.',
      cause: error,
    });
  }
  return {
    kept,
    save(later) {
      const before = text;
      try {
        text = toText(later);
        // In place and in one write: positions increase, so the new one covers the last one.
        if (writeSync(file, text, 0) < text.length) throw new Error('there is no room for it');
        if (text.length < before.length) ftruncateSync(file, text.length);
      } catch (error) {
        text = before;
        restore(file, before);
        throw unwrittenError(path, before, error);
      }
    },
    close: () => closeSync(file),
  };
}

function toText({ seq, journal }: CursorPosition): string {
  return `${seq}${journal ? ` ${journal}` : ''}\n`;
}

/** Restores what a partial write may have covered, within the file's present size. */
function restore(file: number, text: string): void {
  try {
    writeSync(file, text, 0);
    ftruncateSync(file, text.length);
  } catch {
    // A file without a valid position is refused when it is opened.
  }
}

function unwrittenError(path: string, before: string, error: unknown): MlogError {
  const reason = (error as Error).message;
  const position = before === '' ? 'no position yet' : `position ${before.split(/\s/)[0]}`;
  return new MlogError('failed_precondition', `--cursor ${path} cannot be written: ${reason}.`, {
    hint: `It holds ${position}: messages passed on since then will come again.`,
    cause: error,
  });
}

const journalPattern = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

function parseCursor(text: string, path: string): CursorPosition | undefined {
  if (text === '') return undefined;
  const [digits = '', journal, ...more] = text.trimEnd().split(' ');
  const seq = parseWholeNumber(digits, 0, Number.MAX_SAFE_INTEGER);
  const isKnown = journal === undefined || journalPattern.test(journal);
  if (seq !== undefined && isKnown && more.length === 0) return { seq, journal };
  throw new MlogError('usage', `--cursor ${path} does not hold a position.`, {
    hint: 'It is unchanged. Name another file, or one that does not exist yet.',
  });
}
