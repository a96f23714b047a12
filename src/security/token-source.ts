import { readFileSync, statSync } from 'node:fs';
import { MlogError } from '../errors.ts';
import { ownToken, parseTokens, type Tokens } from './tokens.ts';

/** Where the tokens are, as the settings say. */
export interface TokenOptions {
  readonly tokenFile: string | undefined;
  /** From the environment alone; the file comes before it. */
  readonly token: string | undefined;
}

/** The tokens of a service or of a client, which may change while it runs. */
export interface TokenSource {
  readonly tokens: () => Tokens;
  /** Returns the token to send, if one is known in full. */
  readonly own: () => string | undefined;
  /** Reads the file again, if there is one. If it cannot be read, throws and keeps the tokens. */
  readonly reload: (() => void) | undefined;
}

/** Opens the source of the tokens; undefined if there is none. Throws `usage` for a bad one. */
export function openTokens({ tokenFile, token }: TokenOptions): TokenSource | undefined {
  const given = tokenFile ?? token;
  if (given === undefined) return undefined;
  const readFile = () => parseTokens(readPrivate(given), given);
  let tokens = tokenFile === undefined ? parseTokens(given, 'MLOG_TOKEN') : readFile();
  let own = ownToken(tokens);
  function reload(): void {
    tokens = readFile();
    own = ownToken(tokens);
  }
  return {
    tokens: () => tokens,
    own: () => own,
    reload: tokenFile === undefined ? undefined : reload,
  };
}

/** Windows has no permission bits. */
const hasPermissions = process.platform !== 'win32';

/** Reads a file that nobody but its owner may read. */
function readPrivate(path: string): string {
  try {
    const isOpen = hasPermissions && (statSync(path).mode & 0o077) !== 0;
    if (!isOpen) return readFileSync(path, 'utf8');
  } catch (error) {
    throw new MlogError('usage', `The token file ${path} cannot be read.`, {
      hint: error instanceof Error ? `${error.message}.` : undefined,
      cause: error,
    });
  }
  throw new MlogError('usage', `Others may read the token file ${path}.`, {
    hint: `Keep it to yourself: chmod 600 ${path}.`,
  });
}
