import { MlogError } from '../errors.ts';
import { toVisible, toVisibleJson } from '../observe/visible.ts';

// A reader that leaves early, like `head`, is no failure.
let readerIsGone = false;
let failure: MlogError | undefined;
let lastWritten: Promise<void> = Promise.resolve();
process.stdout.on('error', noteError);

function noteError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') readerIsGone = true;
  else {
    failure ??= new MlogError(
      'failed_precondition',
      `stdout cannot be written: ${error.message}.`,
      {
        cause: error,
      },
    );
  }
}

/** Passes text to stdout. Returns whether there is room for more. `flush` reports failures. */
export function put(text: string): boolean {
  let hasRoom = true;
  if (isProgressShown && process.stdout.isTTY) putRemark(clearLine);
  lastWritten = new Promise((resolve) => {
    hasRoom = process.stdout.write(text, (error) => {
      if (error) noteError(error);
      resolve();
    });
  });
  return hasRoom;
}

/** Waits until stdout has taken everything. Throws `failed_precondition` if it cannot. */
export async function flush(): Promise<void> {
  await lastWritten;
  if (failure) throw failure;
}

/**
 * Writes data to stdout at the pace of its reader. Returns false once the reader is gone. Throws
 * `failed_precondition` if stdout cannot be written.
 */
export async function print(text: string): Promise<boolean> {
  if (failure) throw failure;
  if (!readerIsGone && !put(text)) await flush();
  return !readerIsGone;
}

/** Writes data like `print`, and waits until stdout has taken it. */
export async function printThrough(text: string): Promise<boolean> {
  if (failure) throw failure;
  if (!readerIsGone) put(text);
  await flush();
  return !readerIsGone;
}

/** Prints a value as a line of JSON in which every character is visible. */
export async function printJson(value: object): Promise<boolean> {
  return await print(toVisibleJson(`${JSON.stringify(value)}\n`));
}

/** Writes a remark for the user to stderr. */
export function remark(text: string): void {
  putRemark(`${isProgressShown ? clearLine : ''}${toVisible(text)}\n`);
}

/** What stderr does not take is lost: there is no one to report it to, and the exit code stands. */
function putRemark(text: string): void {
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => {});
  process.stderr.write(text);
}

/** Whether the last line of the terminal may hold a progress text, which has no newline. */
let isProgressShown = false;
const clearLine = '\r\x1b[K';

/** Shows progress on a terminal; `end` removes it. */
export function showProgress(text: () => string): { end: () => void } {
  if (!process.stderr.isTTY) return { end: () => {} };
  isProgressShown = true;
  const timer = setInterval(() => putRemark(`${clearLine}${text()}`), 200);
  return {
    end() {
      clearInterval(timer);
      putRemark(clearLine);
      isProgressShown = false;
    },
  };
}
