import { MlogError } from '../errors.ts';

const nothing = Buffer.alloc(0);

/**
 * Bytes are gathered in blocks of this size, so that a growing body leaves no large copies behind.
 */
const blockBytes = 256 * 1024;

/**
 * Gathers bytes that arrive in pieces and are needed as a whole. A single piece is kept as it is.
 * More pieces are copied together, because a client may send a byte at a time, and pieces kept
 * separately took 150 times their size in memory. The total of the process is counted, so that it
 * can be bounded: everything gathered must be taken or dropped.
 */
export class GatheredBytes {
  /** What the process holds: gathered, and neither taken nor dropped. */
  static #heldBytes = 0;

  /** The full blocks before the last one. */
  #blocks: Buffer[] = [];
  #block: Buffer = nothing;
  /** How much of the last block is used. */
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /**
   * Says whether this may grow by so many bytes if all together may hold `heldMaxBytes`. After
   * growing, as much as it holds must still be free. The more bodies there are, the less each may
   * hold, and a small one always finds room.
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

  /** Returns everything gathered and starts over. */
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

  /**
   * Replaces a small block with one of twice the needed size, or starts another after a full one.
   */
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

/** Returns the error for a body that finds no room beside the others. */
export function overloadedError(): MlogError {
  return new MlogError('overloaded', 'The service holds too many unfinished requests.', {
    hint: 'This one was not stored. Send it again in a moment.',
  });
}
