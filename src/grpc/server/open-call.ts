import { constants, type ServerHttp2Stream } from 'node:http2';
import { status as statuses, type Metadata, type StatusObject } from '@grpc/grpc-js';
import { MlogError } from '../../errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { stoppingError, tellRefusal } from './call.ts';
import { excessError, ReceivedMessages, type ReceiveLimit } from './receive-limit.ts';
import { isOwnStatus } from '../status.ts';

/** What grpc-js keeps of a call. */
export interface BaseCall {
  readonly stream: ServerHttp2Stream;
  /** The authority that the client named. */
  readonly host: string | undefined;
  readonly metadata: Metadata;
  readonly connectionInfo: { readonly localAddress?: string };
  /** The parts of an incomplete message. */
  decoder: { write(piece: Buffer): Buffer[] };
  /** Complete messages that nobody has read. */
  readonly readQueue: unknown[];
  sendStatus(status: Partial<StatusObject>): void;
}

/** The bounds of one call. */
export interface CallLimits {
  /** The largest message with texts. grpc-js refuses larger ones. */
  readonly messageMaxBytes: number;
  /** How long one message may take to arrive. */
  readonly requestTimeoutMs: number;
  /** A client that takes nothing of a reply for this long is disconnected. */
  readonly readerStallMs: number;
}

/** One clock for all calls. A timer for each took longer than everything else here. */
export interface Clock {
  readonly nowMs: number;
}

/** The kind of a call, and what all calls share. */
export interface CallOptions {
  readonly path: string;
  /** The client may send any number of messages. */
  readonly isStream: boolean;
  /** The messages carry texts. Those of other methods are small. */
  readonly takesTexts: boolean;
  /** The reply is one message. */
  readonly hasOneReply: boolean;
  readonly limits: CallLimits;
  readonly received: ReceiveLimit;
  readonly clock: Clock;
  readonly onClose: (call: OpenCall) => void;
  readonly logger: Logger;
}

/** The largest message without a text, such as a position or an id. */
const smallMessageMaxBytes = 16 * 1024;

/** How long a client may take to close its side of a call that a status has ended. */
export const lingerMs = 500;

/** How long a message may still take to arrive, or a client to read, once the server stops. */
const stopGraceMs = 1_000;

/**
 * A call, from its start until its stream is closed. grpc-js keeps what a client sends until a
 * message is complete and read, for as long as the client likes. If a status ends a call early,
 * grpc-js leaves the stream open until the client closes its side.
 */
export class OpenCall {
  readonly #base: BaseCall;
  readonly #stream: ServerHttp2Stream;
  readonly #options: CallOptions;
  readonly #messages: ReceivedMessages;
  #hasStatus = false;
  #reads = 0;
  #takes = 0;
  #read: (() => void) | undefined;
  #writing = 0;
  #written = 0;
  #due = Infinity;
  #onDue = () => {};
  #stopDue = Infinity;
  #writtenBefore = 0;

  constructor(base: BaseCall, options: CallOptions) {
    this.#base = base;
    this.#stream = base.stream;
    this.#options = options;
    const { messageMaxBytes, requestTimeoutMs } = options.limits;
    const connection = base.stream.session ?? this;
    this.#messages = new ReceivedMessages(options.received, connection, messageMaxBytes);
    if (!options.isStream) this.#setDue(requestTimeoutMs, () => this.#refuseLate());
    // Runs before grpc-js keeps the piece.
    base.stream.prependListener('data', (piece: Buffer) => this.#receive(piece));
    // Runs before the handler is called, which may begin the reply.
    base.stream.prependListener('end', () => this.#setDue(Infinity));
    base.stream.on('close', () => this.#close());
  }

  /** Reads the next message of a stream once the one before it was taken. */
  readWhenTaken(read: () => void): void {
    if (this.#reads > this.#takes) {
      this.#read = read;
      return;
    }
    this.#reads += 1;
    read();
  }

  /** Notes that a message of a stream is in use, which is no longer counted. */
  taken(): void {
    this.#takes += 1;
    if (this.#hasStatus) return;
    this.#messages.take();
    const read = this.#read;
    this.#read = undefined;
    if (read) this.readWhenTaken(read);
  }

  /** Notes that a message of the reply is on its way to the client. */
  writing(): void {
    this.#writing += 1;
    const { hasOneReply, limits } = this.#options;
    // grpc-js sends the status, which ends the call, only after the message is written.
    if (hasOneReply) this.#setDue(limits.readerStallMs, () => this.cut());
  }

  /** Notes that a message of the reply was written. */
  written(): void {
    this.#writing -= 1;
    this.#written += 1;
  }

  /** Ends the call without waiting for its client. */
  cut(): void {
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** Ends the call with an error. */
  refuse(error: MlogError, code = statuses[error.grpcStatus]): void {
    const { path, logger } = this.#options;
    // The piece that has just arrived may complete a message, which would be answered all the same.
    this.#base.decoder = discarding;
    this.#base.sendStatus({ ...tellRefusal(error, path, logger), code });
  }

  /** Ends the call because all calls together hold too much that was not taken. */
  refuseExcess(error: MlogError): void {
    this.refuse(error, statuses.RESOURCE_EXHAUSTED);
  }

  /** Notes that a status ends the call, while the client may still be sending, or not reading. */
  onStatus(status: Partial<StatusObject>): void {
    const { path, limits, logger } = this.#options;
    this.#hasStatus = true;
    this.#free();
    if (status.code !== statuses.OK && !isOwnStatus(status)) {
      const code = statuses[status.code ?? statuses.UNKNOWN];
      logger.warn({ path, code, reason: status.details }, 'Call failed');
    }
    this.#setDue(lingerMs, () => {
      // A server may do this once it has sent a complete reply (RFC 9113, section 8.1).
      if (this.#stream.writableFinished) this.#stream.close(constants.NGHTTP2_NO_ERROR);
      this.#setDue(limits.readerStallMs, () => this.cut());
    });
  }

  /** Does what is due. The clock calls this. */
  check(): void {
    const { nowMs } = this.#options.clock;
    if (nowMs >= this.#due) {
      this.#due = Infinity;
      this.#onDue();
    }
    if (nowMs >= this.#stopDue) this.#checkStop();
  }

  /** Lets a call that is being answered finish, and ends all others shortly. */
  stop(): void {
    this.#stopDue = this.#options.clock.nowMs + stopGraceMs;
    this.#writtenBefore = this.#written;
  }

  #checkStop(): void {
    const isArriving = !this.#options.isStream && !this.#stream.readableEnded;
    const isStalled = this.#writing > 0 && this.#written === this.#writtenBefore;
    if (this.#hasStatus || isStalled) this.cut();
    else if (isArriving) this.refuse(stoppingError);
    this.stop();
  }

  #receive(piece: Buffer): void {
    if (this.#hasStatus) return;
    const { isStream, takesTexts } = this.#options;
    const completed = this.#messages.receive(piece);
    if (!takesTexts && this.#messages.announcedMaxBytes > smallMessageMaxBytes) {
      return this.refuse(sizeError());
    }
    if (!this.#messages.count()) return this.refuseExcess(excessError());
    if (isStream) this.#watchPartial(completed > 0);
  }

  /** A message that has begun must complete in time, even if the stream has no end. */
  #watchPartial(isAnother: boolean): void {
    if (!this.#messages.isPartial) {
      this.#setDue(Infinity);
    } else if (this.#due === Infinity || isAnother) {
      this.#setDue(this.#options.limits.requestTimeoutMs, () => this.#refuseLate());
    }
  }

  #refuseLate(): void {
    // If nothing is read, the client is not the slow one.
    const { requestTimeoutMs } = this.#options.limits;
    if (this.#options.isStream && this.#stream.isPaused()) {
      return this.#setDue(requestTimeoutMs, () => this.#refuseLate());
    }
    this.refuse(new MlogError('request_timeout', `The message took over ${requestTimeoutMs} ms.`));
  }

  #setDue(ms: number, onDue: () => void = () => {}): void {
    this.#due = this.#options.clock.nowMs + ms;
    this.#onDue = onDue;
  }

  #close(): void {
    if (!this.#hasStatus) this.#free();
    this.#hasStatus = true;
    this.#options.onClose(this);
  }

  /**
   * After a status, grpc-js reads nothing more and would keep what it has until the stream ends.
   */
  #free(): void {
    if (this.#messages.isPartial) this.#base.decoder = discarding;
    // Setting the length took 6 µs per call.
    if (this.#base.readQueue.length > 0) this.#base.readQueue.length = 0;
    this.#messages.free();
  }
}

const discarding = { write: () => [] };

function sizeError(): MlogError {
  return new MlogError(
    'too_large',
    `This method takes messages of up to ${smallMessageMaxBytes} bytes.`,
  );
}
