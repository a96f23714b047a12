const nothing = Buffer.alloc(0);

/**
 * Bytes that come in pieces and are wanted whole. A lone piece is kept as it is; more are copied
 * together as they come, for a client may send a byte at a time. Kept as they came, such pieces
 * took 150 times their size in memory.
 */
export class GatheredBytes {
  #bytes: Buffer = nothing;
  #length = 0;
  #room = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
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
    this.#bytes = nothing;
    this.#length = this.#room = 0;
    return taken;
  }

  #grow(room: number): void {
    const grown = Buffer.allocUnsafeSlow(room);
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#room = room;
  }
}
