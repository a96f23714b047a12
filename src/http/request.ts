import { IncomingMessage } from 'node:http';

/** Hears the pieces of a body, and null at its end. */
export type BodyListener = (piece: Buffer | null) => void;

/**
 * Node's request, whose body can be had as the parser gives it, past the buffers and events of a
 * stream. Measured on a server that reads a form of 50 bytes and answers a constant: 2.5 of the
 * 14.5 µs that it computes for each. A request whose body is taken so has no `end`, and no `close`
 * behind it.
 */
export class BodyRequest extends IncomingMessage {
  #listener: BodyListener | undefined;
  #hasBegun = false;

  /** Gives the body to a listener, which takes whatever comes at once. */
  listenToBody(listener: BodyListener): void {
    this.#listener = listener;
    // What came before stands in the stream already.
    if (this.#hasBegun) {
      this.on('data', (piece: Buffer) => this.#listener?.(piece));
      this.on('end', () => this.#listener?.(null));
    }
  }

  /** Gives nothing more to the listener; the rest stays in the stream. */
  leaveBody(): void {
    this.#listener = undefined;
  }

  /** Node's parser calls this with each piece, and with null at the end. */
  override push(piece: Buffer | null): boolean {
    if (!this.#listener || this.#hasBegun) {
      this.#hasBegun = true;
      return super.push(piece);
    }
    // Node goes through a body once more that nobody has read from; this one is read.
    // eslint-disable-next-line no-underscore-dangle
    if (piece === null) this._read(0);
    this.#listener(piece);
    return true;
  }
}
