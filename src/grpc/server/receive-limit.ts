import { FrameReader } from './frames.ts';

/** How much all calls of a server, and those of one connection, may hold of what they have sent. */
export interface ReceiveLimits {
  readonly receiveMaxBytes: number;
  readonly connectionReceiveMaxBytes: number;
}

/** Counts the bytes that calls have sent and that nobody has taken yet, over all connections. */
export class ReceiveLimit {
  readonly #limits: ReceiveLimits;
  readonly #byConnection = new WeakMap<object, number>();
  #bytes = 0;

  constructor(limits: ReceiveLimits) {
    this.#limits = limits;
  }

  /** Counts some more bytes of a connection; returns false, and counts nothing, beyond a limit. */
  take(connection: object, bytes: number): boolean {
    const held = this.#byConnection.get(connection) ?? 0;
    const { receiveMaxBytes, connectionReceiveMaxBytes } = this.#limits;
    if (held + bytes > connectionReceiveMaxBytes || this.#bytes + bytes > receiveMaxBytes) {
      return false;
    }
    this.#byConnection.set(connection, held + bytes);
    this.#bytes += bytes;
    return true;
  }

  /** Gives back bytes that were taken. */
  give(connection: object, bytes: number): void {
    this.#byConnection.set(connection, (this.#byConnection.get(connection) ?? 0) - bytes);
    this.#bytes -= bytes;
  }
}

/** Each call may hold so much in any case, so that a small message is never refused. */
const freeBytes = 16 * 1024;

/** What grpc-js needs for a message that waits, beside its bytes. */
const messageExtraBytes = 256;

/** A compressed message counts as what it may become: deflate reaches this ratio at the most. */
const deflateMaxRatio = 1_032;

/** What one call has sent that nobody has taken yet, counted against the limits. */
export class ReceivedMessages {
  readonly #limit: ReceiveLimit;
  readonly #connection: object;
  readonly #messageMaxBytes: number;
  readonly #frames = new FrameReader();
  /** The sizes of the whole messages, in their order. */
  readonly #waiting: number[] = [];
  #waitingBytes = 0;
  #counted = 0;

  constructor(limit: ReceiveLimit, connection: object, messageMaxBytes: number) {
    this.#limit = limit;
    this.#connection = connection;
    this.#messageMaxBytes = messageMaxBytes;
  }

  /** A message has begun and is not whole. */
  get isPartial(): boolean {
    return this.#frames.partialBytes > 0;
  }

  /** The largest size that a message has announced. */
  get announcedMaxBytes(): number {
    return this.#frames.announcedMaxBytes;
  }

  /** Counts the next piece; tells how many messages it completes. */
  receive(piece: Buffer): number {
    const before = this.#waiting.length;
    this.#frames.read(piece, (bytes, isCompressed) => {
      const maxBytes = this.#messageMaxBytes;
      const size = isCompressed ? Math.min(maxBytes, bytes * deflateMaxRatio) : bytes;
      this.#waiting.push(size + messageExtraBytes);
      this.#waitingBytes += size + messageExtraBytes;
    });
    return this.#waiting.length - before;
  }

  /** Counts the oldest message no longer. */
  take(): void {
    this.#waitingBytes -= this.#waiting.shift() ?? 0;
    this.count();
  }

  /** Brings the count up to date; returns false where the limits have no room for it. */
  count(): boolean {
    const held = this.#frames.partialBytes + this.#waitingBytes;
    const more = Math.max(0, held - freeBytes) - this.#counted;
    if (more > 0 && !this.#limit.take(this.#connection, more)) return false;
    if (more < 0) this.#limit.give(this.#connection, -more);
    this.#counted += more;
    return true;
  }

  /** Counts nothing from now on. */
  free(): void {
    if (this.#counted > 0) this.#limit.give(this.#connection, this.#counted);
    this.#counted = 0;
  }
}
