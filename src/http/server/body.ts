import type { IncomingMessage } from 'node:http';
import { MlogError } from '../../errors.ts';
import { GatheredBytes, overloadedError } from '../gathered-bytes.ts';
import type { BodyRequest } from './request.ts';

/** How large a request body may be, and how long it may take. */
export interface BodyLimits {
  readonly bodyMaxBytes: number;
  /** What all bodies being read may hold together. */
  readonly bodiesMaxBytes: number;
  readonly requestTimeoutMs: number;
}

/** The largest body of one message: as a JSON escape, every byte of text takes up to six. */
export function bodyMaxBytesOf(txtMaxBytes: number): number {
  return 6 * txtMaxBytes + 4_096;
}

/**
 * Reads a request body to its end. Throws `too_large`, `overloaded` if all bodies together hold too
 * much, `request_timeout`, `cancelled` if the client goes away, and `unsupported_media_type` for an
 * encoded body.
 */
export function readBody(request: BodyRequest, limits: BodyLimits): Promise<Buffer> {
  checkEncoding(request);
  const { bodyMaxBytes, requestTimeoutMs } = limits;
  const heldMaxBytes = heldMaxBytesOf(limits);
  return new Promise((resolve, reject) => {
    const gathered = new GatheredBytes();
    const late = {
      at: performance.now() + requestTimeoutMs,
      tell: () => fail(timeoutError(`The body took over ${requestTimeoutMs} ms.`)),
    };

    function fail(error: MlogError): void {
      bodies.delete(late);
      gathered.drop();
      request.leaveBody();
      reject(error);
    }
    function onPiece(piece: Buffer | null): void {
      if (piece === null) {
        bodies.delete(late);
        resolve(gathered.take());
      } else if (gathered.length + piece.length > bodyMaxBytes) fail(tooLargeError(bodyMaxBytes));
      else if (!gathered.hasRoomFor(piece.length, heldMaxBytes)) fail(overloadedError());
      else gathered.add(piece);
    }
    function onClose(): void {
      // A body read as a stream is closed after its end, too. Removing the listener would cost
      // more.
      if (bodies.has(late)) fail(clientGoneError());
    }

    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > bodyMaxBytes) return fail(tooLargeError(bodyMaxBytes));
    if (!gathered.hasRoomFor(announced, heldMaxBytes)) return fail(overloadedError());
    bodies.add(late);
    watchBodies();
    request.on('close', onClose).listenToBody({ onPiece, onGivenUp: fail });
  });
}

/**
 * Returns what all bodies may hold together: more than the setting if the largest body would not
 * fit.
 */
export function heldMaxBytesOf({
  bodiesMaxBytes,
  bodyMaxBytes,
}: Pick<BodyLimits, 'bodiesMaxBytes' | 'bodyMaxBytes'>): number {
  return Math.max(bodiesMaxBytes, 4 * bodyMaxBytes);
}

/** The bodies being read, with the time at which each is late. */
const bodies = new Set<{ readonly at: number; readonly tell: () => void }>();
let watch: NodeJS.Timeout | undefined;

/** Checks the bodies once a second. A timer for each would cost more per message. */
function watchBodies(): void {
  watch ??= setInterval(() => {
    const now = performance.now();
    for (const { at, tell } of bodies) if (at <= now) tell();
  }, 1_000).unref();
}

/**
 * This much of a body is gathered while its reader is busy with the last piece. Measured on bulk:
 * 1.05 times the messages of pieces of 64 KiB.
 */
const pieceMaxBytes = 256 * 1024;

/**
 * Streams a request body of any length in pieces of what has arrived. It returns where the body
 * ended. Where the body was cut, it first yields what arrived before, then throws: the errors of
 * `readBody`, and `unavailable` if the server stops. The time limit applies to the wait for the
 * next piece, without the time that the reader takes.
 */
export async function* streamBody(
  request: IncomingMessage,
  { requestTimeoutMs, stopping }: { requestTimeoutMs: number; stopping: AbortSignal },
): AsyncGenerator<Buffer> {
  checkEncoding(request);
  const gathered = new GatheredBytes();
  let isEnded = false;
  let error: MlogError | undefined;
  let wake = () => {};
  const late = {
    at: 0,
    tell: () => fail(timeoutError(`Nothing came for ${requestTimeoutMs} ms.`)),
  };

  function fail(reason: MlogError): void {
    error ??= reason;
    wake();
  }
  function onData(chunk: Buffer): void {
    gathered.add(chunk);
    if (gathered.length >= pieceMaxBytes) request.pause();
    wake();
  }
  function onEnd(): void {
    isEnded = true;
    wake();
  }
  function onClose(): void {
    if (!isEnded) fail(clientGoneError());
  }
  function onStop(): void {
    request.off('data', onData);
    if (!isEnded) fail(bodyStoppedError());
  }

  watchBodies();
  request.on('data', onData).on('end', onEnd).on('close', onClose);
  stopping.addEventListener('abort', onStop);
  if (stopping.aborted) onStop();
  try {
    for (;;) {
      if (gathered.length === 0 && !isEnded && !error) {
        late.at = performance.now() + requestTimeoutMs;
        bodies.add(late);
        await new Promise<void>((resolve) => (wake = resolve));
        bodies.delete(late);
      }
      if (gathered.length > 0) {
        const piece = gathered.take();
        request.resume();
        yield piece;
      } else if (error) throw error;
      else if (isEnded) return;
    }
  } finally {
    stopping.removeEventListener('abort', onStop);
    // What still arrives is dropped, because the connection has a reply to carry.
    request.off('data', onData).off('end', onEnd).off('close', onClose).resume();
    gathered.drop();
  }
}

function checkEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || /^[\s,]*(?:identity[\s,]*)*$/i.test(encoding)) return;
  throw new MlogError('unsupported_media_type', `A body in ${encoding} encoding is not accepted.`, {
    hint: 'Send it without Content-Encoding.',
  });
}

function clientGoneError(): MlogError {
  return new MlogError('cancelled', 'The client went away before the end of its request.');
}

function bodyStoppedError(): MlogError {
  return new MlogError('unavailable', 'The service is stopping.', {
    hint: 'Lines without an answer were not taken; send them again.',
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
