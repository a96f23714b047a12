import { readPrivateFile } from './files.ts';
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
  const readFile = () => parseTokens(readPrivateFile(given, 'token', othersMode), given);
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

/** Nobody but its owner may read a file of tokens. */
const othersMode = 0o077;
