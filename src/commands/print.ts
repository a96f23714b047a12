import { once } from 'node:events';

// A reader that went away, as `head` does, is no failure: it has what it wanted.
let readerIsGone = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  readerIsGone = true;
});

/** Writes data to stdout at the pace of its reader; gives false once the reader is gone. */
export async function print(text: string): Promise<boolean> {
  if (readerIsGone) return false;
  if (!process.stdout.write(text)) {
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'error')]).catch(
      () => {},
    );
  }
  return !readerIsGone;
}

/** Writes a remark for the person to stderr. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}
