import { IncomingMessage } from 'node:http';
import type { MlogError } from '../../errors.ts';

/** Receives a body: each piece, then null at its end, or the reason why it was given up. */
export interface BodyListener {
  onPiece(piece: Buffer | null): void;
  onGivenUp(reason: MlogError): void;
}

/**
 * Node's request, with access to the body as the parser delivers it, past the buffers and events of
 * a stream. Measured on a server that reads a form of 50 bytes and answers a constant: this saves
 * 2.5 of its 14.5 µs. A request whose body is read this way emits no `end`, and no `close` after
 * it.
 */
export class BodyRequest extends IncomingMessage {
  #listener: BodyListener | undefined;
  #hasBegun = false;

  /** Passes the body to a listener, which takes every piece at once. */
  listenToBody(listener: BodyListener): void {
    this.#listener = listener;
    // Earlier pieces are in the stream already.
    if (this.#hasBegun) {
      this.on('data', (piece: Buffer) => this.#listener?.onPiece(piece));
      this.on('end', () => this.#listener?.onPiece(null));
    }
  }

  /** Passes nothing more to the listener. The rest stays in the stream. */
  leaveBody(): void {
    this.#listener = undefined;
  }

  /** Tells the listener that the end of the body is no longer awaited. */
  giveUp(reason: MlogError): void {
    this.#listener?.onGivenUp(reason);
  }

  /** Node's parser calls this with each piece, and with null at the end. */
  override push(piece: Buffer | null): boolean {
    if (!this.#listener || this.#hasBegun) {
      this.#hasBegun = true;
      return super.push(piece);
    }
    // Node drains a body that nobody has read from. This one is read.
    // eslint-disable-next-line no-underscore-dangle
    if (piece === null) this._read(0);
    this.#listener.onPiece(piece);
    return true;
  }
}
