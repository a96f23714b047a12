import type { IncomingMessage } from 'node:http';
import { hasErrno, MlogError } from '../errors.ts';
import { GatheredBytes } from './gathered-bytes.ts';

/** What a request body may be and how long it may take. */
export interface BodyLimits {
  readonly bodyMaxBytes: number;
  readonly requestTimeoutMs: number;
}

/** The largest body of one message: every byte of text may take six as a JSON escape. */
export function bodyMaxBytesOf(txtMaxBytes: number): number {
  return 6 * txtMaxBytes + 4_096;
}

/**
 * Reads a request body to its end. Throws `too_large`, `deadline_exceeded`, `cancelled` when the
 * client goes away, and `unsupported_media_type` for an encoded body.
 */
export function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  checkEncoding(request);
  const { bodyMaxBytes, requestTimeoutMs } = limits;
  return new Promise((resolve, reject) => {
    const gathered = new GatheredBytes();
    const late = {
      at: performance.now() + requestTimeoutMs,
      tell: () => fail(timeoutError(`The body took over ${requestTimeoutMs} ms.`)),
    };

    function fail(error: MlogError): void {
      bodies.delete(late);
      request.off('data', onData).off('end', onEnd);
      // What still comes is read and dropped, so that the client gets to read the reply.
      request.resume();
      reject(error);
    }
    function onData(chunk: Buffer): void {
      gathered.add(chunk);
      if (gathered.length > bodyMaxBytes) fail(tooLargeError(bodyMaxBytes));
    }
    function onEnd(): void {
      bodies.delete(late);
      resolve(gathered.take());
    }
    function onClose(): void {
      // It closes after its end, too; to stop listening for that would cost more.
      if (bodies.has(late)) fail(goneError());
    }

    if (Number(request.headers['content-length'] ?? 0) > bodyMaxBytes) {
      return fail(tooLargeError(bodyMaxBytes));
    }
    bodies.add(late);
    watchBodies();
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

/** The bodies that are being read, with the time when each is late. */
const bodies = new Set<{ readonly at: number; readonly tell: () => void }>();
let watch: NodeJS.Timeout | undefined;

/** Looks after the bodies once a second; a timer for each would be one more thing a message. */
function watchBodies(): void {
  watch ??= setInterval(() => {
    const now = performance.now();
    for (const { at, tell } of bodies) if (at <= now) tell();
  }, 1_000).unref();
}

/**
 * Gives a request body of any length in pieces, as it comes, and ends early when the server stops.
 * Throws as `readBody` does; here the time is what may pass until the next piece, not counting what
 * the reader takes for the last one.
 */
export async function* streamBody(
  request: IncomingMessage,
  { requestTimeoutMs, stopping }: { requestTimeoutMs: number; stopping: AbortSignal },
): AsyncGenerator<Buffer> {
  checkEncoding(request);
  // The connection outlives a reader that leaves early: it has a reply to carry.
  const pieces = request.iterator({ destroyOnReturn: false });
  let timer: NodeJS.Timeout | undefined;
  let onStop: (() => void) | undefined;
  try {
    for (;;) {
      const ended = new Promise<undefined>((resolve, reject) => {
        const fail = () => reject(timeoutError(`Nothing came for ${requestTimeoutMs} ms.`));
        timer = setTimeout(fail, requestTimeoutMs);
        onStop = () => resolve(undefined);
        stopping.addEventListener('abort', onStop);
      });
      const piece = await Promise.race([pieces.next(), ended]);
      clearTimeout(timer);
      stopping.removeEventListener('abort', onStop!);
      if (piece === undefined || piece.done || stopping.aborted) return;
      yield piece.value as Buffer;
    }
  } catch (error) {
    throw hasErrno(error, 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE') ? goneError(error) : error;
  } finally {
    clearTimeout(timer);
  }
}

function checkEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new MlogError('unsupported_media_type', `A body in ${encoding} encoding is not taken.`, {
    hint: 'Send it without Content-Encoding.',
  });
}

function goneError(cause?: unknown): MlogError {
  return new MlogError('cancelled', 'The client went away before the end of its request.', {
    cause,
  });
}

function timeoutError(message: string): MlogError {
  return new MlogError('request_timeout', message, { hint: 'Send it again, in smaller parts.' });
}

function tooLargeError(bodyMaxBytes: number): MlogError {
  return new MlogError('too_large', `The body is larger than ${bodyMaxBytes} bytes.`, {
    hint: 'Send less in one request, or raise the limits of the service.',
  });
}
