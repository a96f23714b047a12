/**
 * Flag and length before each message
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
 */
const headBytes = 5;

/** Called for each complete message, with its size in bytes. */
export type OnMessage = (bytes: number, isCompressed: boolean) => void;

/** Tracks the messages of a call through the pieces in which they arrive, without keeping any. */
export class FrameTracker {
  /** How much of an incomplete message has arrived. */
  partialBytes = 0;
  /** The largest size that a message has announced. */
  announcedMaxBytes = 0;
  #flag = 0;
  #messageBytes = 0;

  /** Reads the next piece. */
  read(piece: Buffer, onMessage: OnMessage): void {
    for (let at = 0; at < piece.length;) {
      at += this.partialBytes < headBytes ? this.#readHead(piece, at) : this.#readBody(piece, at);
      if (this.partialBytes === headBytes + this.#messageBytes) {
        onMessage(this.#messageBytes, this.#flag === 1);
        this.partialBytes = 0;
      }
    }
  }

  #readHead(piece: Buffer, at: number): number {
    const byte = piece[at]!;
    if (this.partialBytes === 0) {
      this.#flag = byte;
      this.#messageBytes = 0;
    } else this.#messageBytes = this.#messageBytes * 256 + byte;
    this.partialBytes += 1;
    if (this.partialBytes === headBytes) {
      this.announcedMaxBytes = Math.max(this.announcedMaxBytes, this.#messageBytes);
    }
    return 1;
  }

  #readBody(piece: Buffer, at: number): number {
    const missing = headBytes + this.#messageBytes - this.partialBytes;
    const taken = Math.min(missing, piece.length - at);
    this.partialBytes += taken;
    return taken;
  }
}
