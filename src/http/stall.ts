import type { ServerResponse } from 'node:http';
import { untakenBytes } from '../send-queue.ts';

/** What a reader of a long reply is held to. */
export interface ReaderLimits {
  /** A reader that takes nothing for so long is cut. */
  readonly readerStallMs: number;
}

/** A reader that keeps its reply waiting is looked at so many times before it counts as stalled. */
const looksPerStall = 10;

/**
 * Waits until there is room for another piece of a reply, of which so many bytes were just written.
 * A reader may be slow: its connection is cut only when it has taken no byte for `readerStallMs`.
 *
 * The reply goes on when the reader has taken as much as was written, although Node's `drain` comes
 * a megabyte later: so a facade reads on evenly from the service behind it, which would else take
 * the facade itself for stalled. Measured through a facade at 1 MB/s: cut after 8 s without it.
 */
export function untilDrained(
  response: ServerResponse,
  writtenBytes: number,
  { readerStallMs }: ReaderLimits,
): Promise<void> {
  const { socket } = response;
  if (!socket || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let first: number | undefined;
    let untaken: number | undefined;
    let takenAtMs = performance.now();

    async function look(): Promise<void> {
      const now = await untakenBytes(socket!);
      if (now !== undefined && now !== untaken) {
        first ??= now;
        untaken = now;
        takenAtMs = performance.now();
        if (first - now >= writtenBytes) goOn();
      } else if (performance.now() - takenAtMs >= readerStallMs && isWaiting) {
        response.destroy();
      }
    }

    let isWaiting = true;
    function goOn(): void {
      isWaiting = false;
      clearInterval(looking);
      response.off('drain', goOn).off('close', goOn);
      resolve();
    }

    const looking = setInterval(() => void look(), readerStallMs / looksPerStall);
    response.on('drain', goOn).on('close', goOn);
  });
}
