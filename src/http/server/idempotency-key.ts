import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { MlogError } from '../../errors.ts';

/**
 * Parses the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a quoted string of
 * RFC 8941, or the bare key. Returns undefined if there is none. Throws `invalid_argument`.
 */
export function readIdempotencyKey(request: IncomingMessage): string | undefined {
  const given = request.headers['idempotency-key'];
  if (given === undefined) return undefined;
  // Node decodes headers as Latin-1, and a key is UTF-8.
  const bytes = Buffer.from(String(given), 'latin1');
  if (!isUtf8(bytes)) throw keyError('is not valid UTF-8');
  const value = bytes.toString();
  if (!value.startsWith('"')) return value;
  if (!/^"(?:[^"\\]|\\["\\])*"$/.test(value)) throw keyError('is not a well-formed quoted string');
  return value.slice(1, -1).replace(/\\(["\\])/g, '$1');
}

function keyError(what: string): MlogError {
  return new MlogError('invalid_argument', `The Idempotency-Key ${what}.`);
}
