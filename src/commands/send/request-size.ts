import type { InputLine } from './line-input.ts';

/** By default, nginx refuses a body larger than 1 MiB. */
const firstMaxBytes = 1_000_000;

/** The largest request, and therefore how much is read ahead. */
export const requestMaxBytes = 8_000_000;

/** After a full request that is answered within this time, the next one may be larger. */
const quickMs = 500;

/**
 * The size of bulk requests. While full requests are answered quickly, each next one is twice as
 * large, because the services are idle between two requests. Measured against requests of 1 MB:
 * 1.15 times the lines in one process, 1.08 through two. A request that is refused for its size
 * sets the limit for good.
 */
export class RequestSize {
  #maxBytes = firstMaxBytes;
  #limitBytes = requestMaxBytes;

  /** Returns as many of the first lines as fit into one request, and at least one. */
  take(lines: readonly InputLine[]): readonly InputLine[] {
    let bytes = 0;
    let count = 0;
    while (count < lines.length) {
      bytes += lines[count]!.bytes;
      if (bytes > this.#maxBytes && count > 0) break;
      count += 1;
    }
    return lines.slice(0, count);
  }

  /** Notes how long a request took. */
  noteAnswered(lines: readonly InputLine[], tookMs: number): void {
    if (tookMs >= quickMs || 2 * bytesOf(lines) < this.#maxBytes) return;
    this.#maxBytes = Math.min(2 * this.#maxBytes, this.#limitBytes);
  }

  /** Notes that a request was refused for its size. */
  noteTooLarge(lines: readonly InputLine[]): void {
    this.#maxBytes = this.#limitBytes = Math.ceil(bytesOf(lines) / 2);
  }
}

function bytesOf(lines: readonly InputLine[]): number {
  return lines.reduce((sum, { bytes }) => sum + bytes, 0);
}
