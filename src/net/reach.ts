import type { Certificates } from '../security/certificates.ts';

/** How a client reaches a service. Every client that connects out takes one, over either wire. */
export interface Reach {
  /**
   * The time limit from a request to its whole reply, or between two pieces of a streamed reply.
   */
  readonly timeoutMs: number;
  /** Returns the token to send, if there is one. */
  readonly token?: (() => string | undefined) | undefined;
  /**
   * Returns the certificates for TLS, which is the same object until they change. Without them, a
   * service needs a certificate of a public issuer.
   */
  readonly certificates?: (() => Certificates) | undefined;
}

/** Returns the value of `Authorization` that a service with tokens asks for. */
export function authorizationOf({ token }: Reach): string | undefined {
  const own = token?.();
  return own === undefined ? undefined : `Bearer ${own}`;
}

/**
 * The longest heartbeat that can be set. A stream without news sends a sign of life at least this
 * often, so that its reader can tell a silent connection from a dead one.
 */
export const heartbeatMaxMs = 15_000;
