import type { IncomingMessage } from 'node:http';
import { MlogError } from '../../errors.ts';
import { GatheredBytes, overloadedError } from '../gathered-bytes.ts';
import type { BodyRequest } from './request.ts';

/** What a request body may be and how long it may take. */
export interface BodyLimits {
  readonly bodyMaxBytes: number;
  /** What all bodies that are being read may hold together. */
  readonly bodiesMaxBytes: number;
  readonly requestTimeoutMs: number;
}

/** The largest body of one message: every byte of text may take six as a JSON escape. */
export function bodyMaxBytesOf(txtMaxBytes: number): number {
  return 6 * txtMaxBytes + 4_096;
}

/**
 * Reads a request body to its end. Throws `too_large`, `overloaded` when too much is held of all
 * bodies, `request_timeout`, `cancelled` when the client goes away, and `unsupported_media_type` for
 * an encoded body.
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
      // Read as a stream it closes after its end, too; to stop listening for that would cost more.
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

/** What all bodies may hold together: more than was set where the largest body would find no room. */
export function heldMaxBytesOf({
  bodiesMaxBytes,
  bodyMaxBytes,
}: Pick<BodyLimits, 'bodiesMaxBytes' | 'bodyMaxBytes'>): number {
  return Math.max(bodiesMaxBytes, 4 * bodyMaxBytes);
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
 * So much of a body is gathered while its reader is busy with the last piece. Measured on bulk: 1.05
 * times the messages of pieces of 64 KiB.
 */
const pieceMaxBytes = 256 * 1024;

/**
 * Gives a request body of any length in pieces, what has come so far in each. It returns where the
 * body ended, and throws where it was cut off, once what came before was taken: as `readBody` does,
 * and `unavailable` when the server stops. Here the time is what may pass until the next piece, not
 * counting what the reader takes for the last one.
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
    // What still comes is dropped; the connection has a reply to carry.
    request.off('data', onData).off('end', onEnd).off('close', onClose).resume();
    gathered.drop();
  }
}

function checkEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || /^[\s,]*(?:identity[\s,]*)*$/i.test(encoding)) return;
  throw new MlogError('unsupported_media_type', `A body in ${encoding} encoding is not taken.`, {
    hint: 'Send it without Content-Encoding.',
  });
}

function clientGoneError(): MlogError {
  return new MlogError('cancelled', 'The client went away before the end of its request.');
}

function bodyStoppedError(): MlogError {
  return new MlogError('unavailable', 'The service is stopping.', {
    hint: 'What has no answer was not taken; send it again.',
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
