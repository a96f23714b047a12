import type { IncomingMessage } from 'node:http';
import { MlogError } from '../errors.ts';
import { decodeText } from './formats.ts';

/**
 * Reads the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a quoted string of
 * RFC 8941, or the bare key. Gives undefined where there is none. Throws `invalid_argument`.
 */
export function readIdempotencyKey(request: IncomingMessage): string | undefined {
  if (request.headers['idempotency-key'] === undefined) return undefined;
  const values = request.headersDistinct['idempotency-key']!;
  if (values.length > 1) throw keyError('is there twice');
  // Node reads header bytes as Latin-1; a key is UTF-8.
  const value = decodeText(Buffer.from(values[0]!, 'latin1'));
  if (!value.startsWith('"')) return value;
  if (!/^"(?:[^"\\]|\\["\\])*"$/.test(value)) throw keyError('is not a well-formed quoted string');
  return value.slice(1, -1).replace(/\\(["\\])/g, '$1');
}

function keyError(what: string): MlogError {
  return new MlogError('invalid_argument', `The Idempotency-Key ${what}.`);
}
