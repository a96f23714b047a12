import { constants, type ServerHttp2Stream } from 'node:http2';
import { status as statuses, type StatusObject } from '@grpc/grpc-js';
import { MlogError } from '../../errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { stoppingError, tellRefusal } from './call.ts';
import { ReceivedMessages, type ReceiveLimit } from './receive-limit.ts';
import { isOwnStatus } from '../status.ts';

/** What grpc-js itself keeps of a call. */
export interface BaseCall {
  readonly stream: ServerHttp2Stream;
  /** The parts of a message that is not whole. */
  decoder: { write(piece: Buffer): Buffer[] };
  /** Whole messages that nobody has read. */
  readonly readQueue: unknown[];
  sendStatus(status: Partial<StatusObject>): void;
}

/** How one call is held in bounds. */
export interface CallLimits {
  /** The largest message with texts; grpc-js itself refuses what is beyond. */
  readonly messageMaxBytes: number;
  /** How long one message may take to arrive. */
  readonly requestTimeoutMs: number;
  /** A client that takes nothing of a reply for so long is cut. */
  readonly readerStallMs: number;
}

/** One clock for all calls: timers for each took more than all else that is done here. */
export interface Clock {
  readonly nowMs: number;
}

/** What a call is, and what it shares with all others. */
export interface CallOptions {
  readonly path: string;
  /** The client may send any number of messages. */
  readonly isStream: boolean;
  /** The messages carry texts; those of other methods are small. */
  readonly takesTexts: boolean;
  /** The reply is one message. */
  readonly hasOneReply: boolean;
  readonly limits: CallLimits;
  readonly received: ReceiveLimit;
  readonly clock: Clock;
  readonly onClose: (call: OpenCall) => void;
  readonly logger: Logger;
}

/** What a message may have where it carries no text: a position, an id. */
const smallMessageMaxBytes = 16 * 1024;

/** So long a client has to close its side of a call that a status has ended. */
export const lingerMs = 500;

/** Once the server stops, so long may a message still take to arrive, or a client to read. */
const stopGraceMs = 1_000;

/**
 * A call from its start until its stream is closed. grpc-js keeps what a client sends until a
 * message is whole and somebody reads it, for as long as the client likes; and where a status ends
 * a call early, it leaves the stream open until the client closes its side.
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
    // Before grpc-js keeps it.
    base.stream.prependListener('data', (piece: Buffer) => this.#receive(piece));
    // Before the handler is called, which may begin the reply.
    base.stream.prependListener('end', () => this.#setDue(Infinity));
    base.stream.on('close', () => this.#close());
  }

  /** Reads the next message of a stream, once the one before it is taken. */
  readWhenTaken(read: () => void): void {
    if (this.#reads > this.#takes) {
      this.#read = read;
      return;
    }
    this.#reads += 1;
    read();
  }

  /** Says that a message of a stream is in use; it is not counted from then on. */
  taken(): void {
    this.#takes += 1;
    if (this.#hasStatus) return;
    this.#messages.take();
    const read = this.#read;
    this.#read = undefined;
    if (read) this.readWhenTaken(read);
  }

  /** Says that a message of the reply is on its way to the client. */
  writing(): void {
    this.#writing += 1;
    const { hasOneReply, limits } = this.#options;
    // Only once it is written does grpc-js give the status, by which the call ends.
    if (hasOneReply) this.#setDue(limits.readerStallMs, () => this.cut());
  }

  /** Says that a message of the reply has left for the client. */
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

  /** Ends the call since too much has arrived, over all, that nobody has taken yet. */
  refuseExcess(error: MlogError): void {
    this.refuse(error, statuses.RESOURCE_EXHAUSTED);
  }

  /** Notes that a status ends the call; the client may still be sending, or not be reading. */
  onStatus(status: Partial<StatusObject>): void {
    const { path, limits, logger } = this.#options;
    this.#hasStatus = true;
    this.#free();
    if (status.code !== statuses.OK && !isOwnStatus(status)) {
      const code = statuses[status.code ?? statuses.UNKNOWN];
      logger.warn({ path, code, reason: status.details }, 'Call failed');
    }
    this.#setDue(lingerMs, () => {
      // What a server may do that has answered all it wants to (RFC 9113, section 8.1).
      if (this.#stream.writableFinished) this.#stream.close(constants.NGHTTP2_NO_ERROR);
      this.#setDue(limits.readerStallMs, () => this.cut());
    });
  }

  /** Does what is due; called each time that the clock goes on. */
  check(): void {
    const { nowMs } = this.#options.clock;
    if (nowMs >= this.#due) {
      this.#due = Infinity;
      this.#onDue();
    }
    if (nowMs >= this.#stopDue) this.#checkStop();
  }

  /** Lets a call that is being answered come to its end, and ends all others in a moment. */
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

  /** A message that has begun has to become whole, though the stream may last for ever. */
  #watchPartial(isAnother: boolean): void {
    if (!this.#messages.isPartial) {
      this.#setDue(Infinity);
    } else if (this.#due === Infinity || isAnother) {
      this.#setDue(this.#options.limits.requestTimeoutMs, () => this.#refuseLate());
    }
  }

  #refuseLate(): void {
    // It is not the client that is slow where nothing is read.
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

  /** After a status grpc-js reads nothing more, and would keep what it has until the stream ends. */
  #free(): void {
    if (this.#messages.isPartial) this.#base.decoder = discarding;
    // To set the length took 6 µs a call.
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

function excessError(): MlogError {
  return new MlogError('overloaded', 'Too much is being sent at once; this message was not read.', {
    hint: 'Nothing of it was stored. Send it again in a moment.',
  });
}
