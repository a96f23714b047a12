import { IncomingMessage } from 'node:http';
import type { MlogError } from '../../errors.ts';

/** Hears of a body: each piece and null at its end, or the reason why nobody waits for its end. */
export interface BodyListener {
  onPiece(piece: Buffer | null): void;
  onGivenUp(reason: MlogError): void;
}

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
      this.on('data', (piece: Buffer) => this.#listener?.onPiece(piece));
      this.on('end', () => this.#listener?.onPiece(null));
    }
  }

  /** Gives nothing more to the listener; the rest stays in the stream. */
  leaveBody(): void {
    this.#listener = undefined;
  }

  /** Tells who listens to the body that its end is not waited for. */
  giveUp(reason: MlogError): void {
    this.#listener?.onGivenUp(reason);
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
    this.#listener.onPiece(piece);
    return true;
  }
}
