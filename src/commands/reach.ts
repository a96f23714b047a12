import { MlogError } from '../errors.ts';
import type { Reach } from '../net/reach.ts';
import { openTokens, type TokenOptions, type TokenSource } from '../security/token-source.ts';

/** Returns how a command reaches the facade, with the token that the settings name. */
export function reachOf(settings: TokenOptions & { readonly timeoutMs: number }): Reach {
  return { timeoutMs: settings.timeoutMs, token: openOwnToken(settings)?.own };
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
