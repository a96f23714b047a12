import { MlogError } from '../../errors.ts';
import { FrameTracker } from './frames.ts';

/** What all calls of a server, and those of one connection, may hold of what they have sent. */
export interface ReceiveLimits {
  readonly receiveMaxBytes: number;
  readonly connectionReceiveMaxBytes: number;
}

/** Counts the bytes that calls have sent and nobody has taken, over all connections. */
export class ReceiveLimit {
  readonly #limits: ReceiveLimits;
  readonly #byConnection = new WeakMap<object, number>();
  #bytes = 0;

  constructor(limits: ReceiveLimits) {
    this.#limits = limits;
  }

  /** Counts more bytes of a connection. Returns false, and counts nothing, beyond a limit. */
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

  /** Returns counted bytes. */
  give(connection: object, bytes: number): void {
    this.#byConnection.set(connection, (this.#byConnection.get(connection) ?? 0) - bytes);
    this.#bytes -= bytes;
  }
}

/** Each call may hold this much in any case, so that a small message is never refused. */
const freeBytes = 16 * 1024;

/** What grpc-js needs for a waiting message besides its bytes. */
const messageExtraBytes = 256;

/** A compressed message counts as what it may expand to; this is the highest ratio of deflate. */
const deflateMaxRatio = 1_032;

/** What one call has sent and nobody has taken, counted against the limits. */
export class ReceivedMessages {
  readonly #limit: ReceiveLimit;
  readonly #connection: object;
  readonly #messageMaxBytes: number;
  readonly #frames = new FrameTracker();
  /** The sizes of the complete messages, in order. */
  readonly #waiting: number[] = [];
  #waitingBytes = 0;
  #counted = 0;

  constructor(limit: ReceiveLimit, connection: object, messageMaxBytes: number) {
    this.#limit = limit;
    this.#connection = connection;
    this.#messageMaxBytes = messageMaxBytes;
  }

  /** Whether a message has begun and is incomplete. */
  get isPartial(): boolean {
    return this.#frames.partialBytes > 0;
  }

  /** The largest size that a message has announced. */
  get announcedMaxBytes(): number {
    return this.#frames.announcedMaxBytes;
  }

  /** Counts the next piece. Returns how many messages it completes. */
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

  /** Stops counting the oldest message. */
  take(): void {
    this.#waitingBytes -= this.#waiting.shift() ?? 0;
    this.count();
  }

  /** Updates the count. Returns false if the limits have no room for it. */
  count(): boolean {
    const held = this.#frames.partialBytes + this.#waitingBytes;
    const more = Math.max(0, held - freeBytes) - this.#counted;
    if (more > 0 && !this.#limit.take(this.#connection, more)) return false;
    if (more < 0) this.#limit.give(this.#connection, -more);
    this.#counted += more;
    return true;
  }

  /** Stops counting this call. */
  free(): void {
    if (this.#counted > 0) this.#limit.give(this.#connection, this.#counted);
    this.#counted = 0;
  }
}

/** Returns the error for a call beyond the limits. */
export function excessError(): MlogError {
  return new MlogError(
    'overloaded',
    'The service holds too many unfinished messages; this one was not read.',
    {
      hint: 'Nothing of it was stored. Send it again in a moment.',
    },
  );
}
