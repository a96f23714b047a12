import { MlogError } from '../errors.ts';

const nothing = Buffer.alloc(0);

/**
 * Bytes that come in pieces and are wanted whole. A lone piece is kept as it is; more are copied
 * together as they come, for a client may send a byte at a time. Kept as they came, such pieces
 * took 150 times their size in memory. All that this process has gathered is counted, so that it can
 * be bounded; what is gathered has to be taken in the end, or dropped.
 */
export class GatheredBytes {
  /** What is gathered in this process, and neither taken nor dropped. */
  static #heldBytes = 0;

  #bytes: Buffer = nothing;
  #length = 0;
  #room = 0;

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
    const length = this.#length + piece.length;
    GatheredBytes.#heldBytes += piece.length;
    if (this.#length === 0) {
      this.#bytes = piece;
    } else {
      if (length > this.#room) this.#grow(2 * length);
      piece.copy(this.#bytes, this.#length);
    }
    this.#length = length;
  }

  /** Gives all of them, and begins anew. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.drop();
    return taken;
  }

  /** Drops all of them. */
  drop(): void {
    GatheredBytes.#heldBytes -= this.#length;
    this.#bytes = nothing;
    this.#length = this.#room = 0;
  }

  #grow(room: number): void {
    const grown = Buffer.allocUnsafeSlow(room);
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#room = room;
  }
}

/** The error for a body for which there is no room among all others. */
export function overloadedError(): MlogError {
  return new MlogError('overloaded', 'The service holds too much of unfinished requests.', {
    hint: 'Nothing of this one was stored. Send it again in a moment.',
  });
}
