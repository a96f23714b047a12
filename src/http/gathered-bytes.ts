import { MlogError } from '../errors.ts';

const nothing = Buffer.alloc(0);

/** Bytes are gathered in blocks of this size, so that a body that grows leaves no larger copies. */
const blockBytes = 256 * 1024;

/**
 * Gathers bytes that arrive in pieces and are wanted whole. A lone piece is kept as it is; more are
 * copied together, because a client may send a byte at a time, and pieces kept as they came took 150
 * times their size in memory. What the process holds in all is counted, so that it can be bounded:
 * everything gathered must be taken or dropped.
 */
export class GatheredBytes {
  /** What this process holds: gathered, and neither taken nor dropped. */
  static #heldBytes = 0;

  /** The blocks before the last one, which are full. */
  #blocks: Buffer[] = [];
  #block: Buffer = nothing;
  /** How much of the last block is in use. */
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /**
   * Says whether it may grow by so many bytes, where all together may hold `heldMaxBytes`: as much
   * as it holds then has to stay free. So each gets less the more there are, and a small one always
   * finds room.
   */
  hasRoomFor(bytes: number, heldMaxBytes: number): boolean {
    return this.#length + 2 * bytes <= heldMaxBytes - GatheredBytes.#heldBytes;
  }

  add(piece: Buffer): void {
    GatheredBytes.#heldBytes += piece.length;
    if (this.#length === 0) {
      this.#block = piece;
      this.#used = piece.length;
    } else {
      this.#copy(piece);
    }
    this.#length += piece.length;
  }

  /** Returns everything gathered, and begins anew. */
  take(): Buffer {
    const last = this.#block.subarray(0, this.#used);
    const taken = this.#blocks.length === 0 ? last : Buffer.concat([...this.#blocks, last]);
    this.drop();
    return taken;
  }

  /** Drops everything gathered. */
  drop(): void {
    GatheredBytes.#heldBytes -= this.#length;
    this.#blocks = [];
    this.#block = nothing;
    this.#used = this.#length = 0;
  }

  #copy(piece: Buffer): void {
    for (let from = 0; from < piece.length;) {
      if (this.#used === this.#block.length) this.#makeRoom(piece.length - from);
      const copied = piece.copy(this.#block, this.#used, from);
      this.#used += copied;
      from += copied;
    }
  }

  /** A small block is replaced by one of twice what is wanted, a full one is followed by another. */
  #makeRoom(wantedBytes: number): void {
    const isWhole = this.#used >= blockBytes;
    const roomBytes = isWhole ? blockBytes : Math.min(blockBytes, 2 * (this.#used + wantedBytes));
    const block = Buffer.allocUnsafeSlow(roomBytes);
    if (isWhole) {
      this.#blocks.push(this.#block);
      this.#used = 0;
    } else {
      this.#block.copy(block, 0, 0, this.#used);
    }
    this.#block = block;
  }
}

/** The error for a body for which there is no room among all others. */
export function overloadedError(): MlogError {
  return new MlogError('overloaded', 'The service holds too much of unfinished requests.', {
    hint: 'Nothing of this one was stored. Send it again in a moment.',
  });
}
