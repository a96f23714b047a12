import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ServerDuplexStream, ServerWritableStream, StatusObject } from '@grpc/grpc-js';
import { MlogError, toMlogError } from '../../errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { toStatus } from '../status.ts';

/** Answers one message, or throws an `MlogError`, which the server sends as a status. */
export type Answer = (request: Buffer) => Promise<Buffer> | Buffer;

/** The signals that end a call that may have no end of its own. */
export interface CallSignals {
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** The bounds on the reader of a stream. */
export interface StreamLimits {
  /** A reader that takes nothing for this long is disconnected. */
  readonly readerStallMs: number;
}

/** A call whose reply is a stream of messages. */
export type StreamCall = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** The status of a stream that only ends because the server stops. */
export const stoppingError = new MlogError('unavailable', 'The service is stopping.', {
  hint: 'Call again in a moment.',
});

/**
 * grpc-js reports a message only when all of it was taken. A reader at this speed or faster is not
 * stalled, however large the message.
 */
const slowestBytesPerMs = 64;

/**
 * Writes a message of a stream and waits until the client has room for it, so that a slow client
 * delays the read instead of filling memory. Disconnects a client that takes nothing for too long.
 */
export function writeMessage(
  call: StreamCall,
  bytes: Buffer,
  gone: AbortSignal,
  { readerStallMs }: StreamLimits,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => cut(call), readerStallMs + bytes.length / slowestBytesPerMs);
    function done(): void {
      clearTimeout(timer);
      gone.removeEventListener('abort', done);
      resolve();
    }
    // After a cancelled call, grpc-js never reports the message as written.
    gone.addEventListener('abort', done);
    if (gone.aborted) done();
    else call.write(bytes, done);
  });
}

/**
 * Ends a call without waiting for its client. grpc-js can only end a stream in order, after what
 * the client does not take.
 */
function cut(call: StreamCall): void {
  streamOf(call).close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** Returns the HTTP/2 stream of a call. */
function streamOf(call: StreamCall): ServerHttp2Stream {
  let { call: inner } = call as unknown as { call: InnerCall };
  while ('nextCall' in inner) inner = inner.nextCall;
  return inner.stream;
}

/** What grpc-js has behind a call: an interceptor, or the stream itself. */
type InnerCall = { readonly nextCall: InnerCall } | { readonly stream: ServerHttp2Stream };

/** Returns the status of an error and logs it. A bug in mlog is logged in full. */
export function tellRefusal(thrown: unknown, path: string, logger: Logger): StatusObject {
  const { code, message, cause } = toMlogError(thrown);
  if (code === 'internal') logger.error({ path, code, err: cause }, 'Call failed');
  // The journal has logged the conflict, with its id.
  else if (code === 'conflict') logger.debug({ path, code, reason: message }, 'Call failed');
  else if (thrown !== stoppingError) logger.warn({ path, code, reason: message }, 'Call failed');
  return toStatus(thrown);
}
