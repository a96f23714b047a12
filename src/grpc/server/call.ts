import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ServerDuplexStream, ServerWritableStream, StatusObject } from '@grpc/grpc-js';
import { MlogError, toMlogError } from '../../errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { toStatus } from '../status.ts';

/** Answers one message, or throws an `MlogError`, of which the server makes a status. */
export type Answer = (request: Buffer) => Promise<Buffer> | Buffer;

/** When a call that may have no end of its own has to end. */
export interface CallSignals {
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** What the reader of a stream is held to. */
export interface ReaderLimits {
  /** A reader that takes nothing for so long is cut. */
  readonly readerStallMs: number;
}

/** A call whose reply is a stream of messages. */
export type StreamCall = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** How a stream ends that would have gone on, had the server not stopped. */
export const stoppingError = new MlogError('unavailable', 'The service stops.', {
  hint: 'Call it again in a moment.',
});

/**
 * A message is taken as a whole or not at all, as far as grpc-js tells. A reader that takes at least
 * this much is not stalled, however large its message.
 */
const slowestBytesPerMs = 64;

/**
 * Writes a message of a stream and waits until the client has room for it, so that a slow one holds
 * up the reading and not the memory. Cuts the call where the client takes nothing for too long.
 */
export function writeMessage(
  call: StreamCall,
  bytes: Buffer,
  gone: AbortSignal,
  { readerStallMs }: ReaderLimits,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => cut(call), readerStallMs + bytes.length / slowestBytesPerMs);
    function done(): void {
      clearTimeout(timer);
      gone.removeEventListener('abort', done);
      resolve();
    }
    // That a message was written is never told of a call that was cancelled meanwhile.
    gone.addEventListener('abort', done);
    if (gone.aborted) done();
    else call.write(bytes, done);
  });
}

/**
 * Ends a call without waiting for its client. grpc-js itself can end a stream in order only, behind
 * what the client does not take.
 */
function cut(call: StreamCall): void {
  streamOf(call).close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** Gives the HTTP/2 stream of a call. */
function streamOf(call: StreamCall): ServerHttp2Stream {
  let { call: inner } = call as unknown as { call: InnerCall };
  while ('nextCall' in inner) inner = inner.nextCall;
  return inner.stream;
}

/** What stands in grpc-js behind a call: an interceptor, or the stream itself. */
type InnerCall = { readonly nextCall: InnerCall } | { readonly stream: ServerHttp2Stream };

/** Gives the status of an error, and tells the diagnostics; of a fault of mlog itself they get all. */
export function tellRefusal(thrown: unknown, path: string, logger: Logger): StatusObject {
  const { code, message, cause } = toMlogError(thrown);
  if (code === 'internal') logger.error({ path, code, err: cause }, 'Call failed');
  // The journal has told of a conflict, with its id.
  else if (code === 'conflict') logger.debug({ path, code, reason: message }, 'Call failed');
  else if (thrown !== stoppingError) logger.warn({ path, code, reason: message }, 'Call failed');
  return toStatus(thrown);
}
