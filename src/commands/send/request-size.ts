import type { Line } from './line-input.ts';

/** nginx refuses a body of more than 1 MiB unless it is configured otherwise. */
const firstMaxBytes = 1_000_000;

/** The largest request that is ever made, and so what has to be read ahead. */
export const requestMaxBytes = 8_000_000;

/** A full request that is answered within this time may be followed by a larger one. */
const quickMs = 500;

/**
 * How much one bulk request takes. While full requests are answered quickly, each next one is twice as
 * large, because between two requests the services have nothing to do. Measured against requests of
 * 1 MB: 1.15 times the lines in one process, 1.08 through two. A request that is refused for its size
 * sets the limit for good.
 */
export class RequestSize {
  #maxBytes = firstMaxBytes;
  #limitBytes = requestMaxBytes;

  /** Gives as many of the first lines as one request takes: at least one. */
  take(lines: readonly Line[]): readonly Line[] {
    let bytes = 0;
    let count = 0;
    while (count < lines.length) {
      bytes += lines[count]!.bytes;
      if (bytes > this.#maxBytes && count > 0) break;
      count += 1;
    }
    return lines.slice(0, count);
  }

  /** Notes that a request was answered in so much time. */
  noteAnswered(lines: readonly Line[], tookMs: number): void {
    if (tookMs >= quickMs || 2 * bytesOf(lines) < this.#maxBytes) return;
    this.#maxBytes = Math.min(2 * this.#maxBytes, this.#limitBytes);
  }

  /** Notes that a request was refused for its size. */
  noteTooLarge(lines: readonly Line[]): void {
    this.#maxBytes = this.#limitBytes = Math.ceil(bytesOf(lines) / 2);
  }
}

function bytesOf(lines: readonly Line[]): number {
  return lines.reduce((sum, { bytes }) => sum + bytes, 0);
}
