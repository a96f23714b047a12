import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { untakenBytes } from '../../net/send-queue.ts';

/** The bounds on the reader of a long reply. */
export interface ReaderLimits {
  /** A reader that takes nothing for this long is disconnected. */
  readonly readerStallMs: number;
}

/** How often a waiting reader is examined before it counts as stalled. */
const looksPerStall = 10;

/**
 * A reader may take its reply in bursts. What it takes earns it time for a pause, one second per
 * 200 kB, up to this many times the stall limit. `curl --limit-rate 300k` takes 7.4 MB at once and
 * then nothing for 25 s, and so does a facade whose own reader is slow.
 */
const pauseMaxStalls = 12;
const pauseBytesPerMs = 200;

/** The reader of a long reply, which may be slow but not stalled. */
export class ReplyReader {
  readonly #response: ServerResponse;
  readonly #stallMs: number;
  #takenBytes: number;
  #isTold = false;
  #lateAtMs = 0;

  constructor(response: ServerResponse, { readerStallMs }: ReaderLimits) {
    this.#response = response;
    this.#stallMs = readerStallMs;
    // Bytes of earlier replies on the connection do not count.
    this.#takenBytes = response.socket?.bytesWritten ?? 0;
  }

  /**
   * Waits until there is room for more, after so many bytes were written. Disconnects a reader that
   * takes nothing for too long.
   *
   * There is room once the reader has taken as much as was written, even if Node's `drain` would
   * come a megabyte later. A facade thus keeps reading evenly from the service behind it.
   */
  untilDrained(writtenBytes: number): Promise<void> {
    const response = this.#response;
    const { socket } = response;
    if (!socket || response.destroyed) return Promise.resolve();
    const beganAtMs = performance.now();
    this.#lateAtMs = Math.max(this.#lateAtMs, beganAtMs + this.#stallMs);
    return new Promise((resolve) => {
      let begin: number | undefined;
      const look = async (): Promise<void> => {
        const lookedAtMs = await this.#look(socket, beganAtMs);
        if (!isWaiting) return;
        begin ??= this.#takenBytes;
        if (this.#takenBytes - begin >= writtenBytes) goOn();
        else if (lookedAtMs >= this.#lateAtMs) response.destroy();
      };
      let isWaiting = true;
      function goOn(): void {
        isWaiting = false;
        clearInterval(looking);
        response.off('drain', goOn).off('close', goOn);
        resolve();
      }
      const looking = setInterval(() => void look(), this.#stallMs / looksPerStall);
      response.on('drain', goOn).on('close', goOn);
    });
  }

  /**
   * Updates what the reader has taken and how long it may pause. Returns the time of that
   * observation.
   */
  async #look(socket: Socket, beganAtMs: number): Promise<number> {
    const { bytes: untaken, atMs } = await untakenBytes(socket);
    // An earlier observation does not include what was written since.
    if (atMs < beganAtMs) return atMs;
    // The system may miss a connection once. If it always does, counting only what Node sees is
    // right.
    if (untaken === undefined && this.#isTold) return atMs;
    this.#isTold = untaken !== undefined;
    const taken = socket.bytesWritten - socket.writableLength - (untaken ?? 0);
    if (taken > this.#takenBytes) {
      const earliest = atMs + this.#stallMs;
      const paid = this.#lateAtMs + (taken - this.#takenBytes) / pauseBytesPerMs;
      const latest = earliest + pauseMaxStalls * this.#stallMs;
      this.#lateAtMs = Math.max(earliest, Math.min(paid, latest));
      this.#takenBytes = taken;
    }
    return atMs;
  }
}
