// A reader that went away, as `head` does, is no failure: it has what it wanted.
let readerIsGone = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  readerIsGone = true;
});

let draining: Promise<void> | undefined;

/** Writes data to stdout at the pace of its reader; gives false once the reader is gone. */
export async function print(text: string): Promise<boolean> {
  if (readerIsGone) return false;
  if (!process.stdout.write(text)) await (draining ??= drained());
  return !readerIsGone;
}

function drained(): Promise<void> {
  return new Promise((resolve) => {
    function done(): void {
      process.stdout.off('drain', done).off('error', done);
      draining = undefined;
      resolve();
    }
    process.stdout.on('drain', done).on('error', done);
  });
}

/** Writes a remark for the person to stderr. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Shows how far something is, on a terminal only; `end` takes it away again. */
export function showProgress(text: () => string): { end: () => void } {
  if (!process.stderr.isTTY) return { end: () => {} };
  const clear = '\r\x1b[K';
  const timer = setInterval(() => process.stderr.write(`${clear}${text()}`), 200);
  return {
    end() {
      clearInterval(timer);
      process.stderr.write(clear);
    },
  };
}
