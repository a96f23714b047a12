import type { TLSSocket } from 'node:tls';
import { MlogError } from '../errors.ts';

/** The state of TLS on a connection, of which HTTP/2 shows no more. */
export type SecureSocket = Pick<
  TLSSocket,
  'authorized' | 'authorizationError' | 'getPeerCertificate'
>;

/** What was found out about the certificate of a connection: an error, or that all is well. */
const checked = new WeakMap<object, MlogError | 'ok'>();

/**
 * Throws `forbidden` if a client has no certificate, or one that the service does not trust. The
 * handshake lets such a client pass, so that it is told the reason. `connection` is what the
 * request came over.
 */
export function checkCertificate(socket: SecureSocket | undefined, connection: object): void {
  let outcome = checked.get(connection);
  if (!outcome) checked.set(connection, (outcome = flawOf(socket) ?? 'ok'));
  if (outcome !== 'ok') throw outcome;
}

function flawOf(socket: SecureSocket | undefined): MlogError | undefined {
  // A resumed session without a certificate counts as authorized in Node.
  const hasOne = Object.keys(socket?.getPeerCertificate() ?? {}).length > 0;
  if (socket?.authorized && hasOne) return undefined;
  const flaw = describeFlaw(String(socket?.authorizationError)) ?? 'cannot be used';
  const what = hasOne
    ? `The certificate of the client ${flaw}`
    : 'This service needs a certificate of the client';
  return new MlogError('forbidden', `${what}.`, {
    hint: 'mlog sends the one of --tls-cert, and a facade or a replica that of --upstream-tls-cert.',
  });
}

/** What OpenSSL and Node say of a certificate, by code or in words, and what we say. */
const flaws: readonly (readonly [pattern: RegExp, flaw: string])[] = [
  [/CERT_HAS_EXPIRED|certificate has expired/, 'has expired'],
  [/CERT_NOT_YET_VALID|not yet valid/, 'is not valid yet'],
  [/CERT_REVOKED|certificate revoked/, 'was revoked'],
  [
    /ALTNAME_INVALID|does not match certificate's altnames|HOSTNAME_MISMATCH/,
    'is for another name',
  ],
  [
    /INVALID_PURPOSE|unsuitable certificate purpose|unsupported certificate purpose/,
    'is for another purpose',
  ],
  [
    /SELF_SIGNED|self[- ]signed|UNABLE_TO_|unable to (?:get|verify)|CERT_UNTRUSTED|not trusted|CERT_SIGNATURE_FAILURE|certificate signature failure/,
    'is from an unknown issuer',
  ],
];

/** Says what is wrong with a certificate, as the end of a sentence; undefined if nothing is. */
export function describeFlaw(error: string): string | undefined {
  return flaws.find(([pattern]) => pattern.test(error))?.[1];
}
