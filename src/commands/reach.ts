import { MlogError } from '../errors.ts';
import type { Reach } from '../net/reach.ts';
import { openCertificates } from '../security/certificates.ts';
import { openTokens, type TokenOptions, type TokenSource } from '../security/token-source.ts';

/** The token and the certificates of a command. */
export interface CredentialOptions extends TokenOptions {
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly ca: string | undefined;
}

/** Returns how a command reaches the facade, with the token and certificates of its settings. */
export function reachOf(settings: CredentialOptions & { readonly timeoutMs: number }): Reach {
  const { timeoutMs, tlsCert: cert, tlsKey: key, ca } = settings;
  const flags = { cert: '--tls-cert', key: '--tls-key', ca: '--ca' };
  return {
    timeoutMs,
    token: openOwnToken(settings)?.own,
    certificates: openCertificates({ cert, key, ca }, flags)?.current,
  };
}

/**
 * Opens the token to send to another service; undefined if the settings name none. Throws `usage`
 * if only digests are known.
 */
export function openOwnToken(options: TokenOptions): TokenSource | undefined {
  const source = openTokens(options);
  if (!source || source.own() !== undefined) return source;
  throw new MlogError(
    'usage',
    `${options.tokenFile} has only digests, and a client sends a token.`,
    {
      hint: 'Name a file that holds the token itself.',
    },
  );
}
