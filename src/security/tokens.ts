import { createHash, timingSafeEqual } from 'node:crypto';
import { MlogError } from '../errors.ts';

/** What the holder of a token may do: read, or read and write. */
export type TokenRole = 'read' | 'write';

/** One token. Of a digest alone, the text is not known. */
interface Token {
  readonly role: TokenRole;
  readonly digest: Buffer;
  readonly text: string | undefined;
}

/** The tokens of a service, of which one at least exists. */
export type Tokens = readonly Token[];

/** The characters of a bearer token (RFC 6750, section 2.1). */
const tokenPattern = /^[\w.~+/-]+=*$/;
const digestPattern = /^sha256:([\da-f]{64})$/i;

/**
 * Parses a file of tokens. A line is a token, or `NAME ROLE TOKEN`, where the role is `read` or
 * `write` and the token may be given as `sha256:` and its digest in hex. Lines that begin with `#`
 * are comments. Throws `usage`, which names the line but never what is in it.
 */
export function parseTokens(text: string, source: string): Tokens {
  const tokens: Token[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]!.startsWith('#')) continue;
    const token = parseLine(words);
    if (!token) throw malformedError(source, index + 1);
    tokens.push(token);
  }
  if (tokens.length > 0) return tokens;
  throw new MlogError('usage', `There is no token in ${source}.`, { hint: 'Write one into it.' });
}

function parseLine(words: readonly string[]): Token | undefined {
  const [name = '', role = '', given = ''] = words.length === 1 ? ['', 'write', ...words] : words;
  const isWhole = words.length === 1 || (words.length === 3 && /^[\w.-]+$/.test(name));
  if (!isWhole || (role !== 'read' && role !== 'write')) return undefined;
  const hex = digestPattern.exec(given)?.[1];
  if (hex !== undefined) return { role, digest: Buffer.from(hex, 'hex'), text: undefined };
  return tokenPattern.test(given) ? { role, digest: digestOf(given), text: given } : undefined;
}

function malformedError(source: string, line: number): MlogError {
  return new MlogError('usage', `Line ${line} of ${source} is not a token.`, {
    hint: 'Write a token alone, or NAME ROLE TOKEN, where ROLE is read or write.',
  });
}

/**
 * Returns what the `Authorization` of a request allows; undefined if it has none of the tokens. All
 * digests are compared, each in constant time.
 */
export function roleOf(authorization: string | undefined, tokens: Tokens): TokenRole | undefined {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) return undefined;
  const digest = digestOf(given);
  let allowed: TokenRole | undefined;
  for (const token of tokens) {
    if (timingSafeEqual(token.digest, digest) && allowed !== 'write') allowed = token.role;
  }
  return allowed;
}

/** Returns the token that a client of these sends: the first one that may write, or may read. */
export function ownToken(tokens: Tokens): string | undefined {
  const plain = tokens.filter(({ text }) => text !== undefined);
  return (plain.find(({ role }) => role === 'write') ?? plain[0])?.text;
}

/** What the latest request of a connection sent, and what it was allowed. */
interface Admitted {
  readonly authorization: string | undefined;
  readonly tokens: Tokens;
  readonly role: TokenRole | undefined;
}

const admitted = new WeakMap<object, Admitted>();

/**
 * Returns what a request allows. The next one of a connection usually sends the same, and the time
 * of that comparison tells a client only what it sent itself. A digest takes 3 of the 25 µs of a
 * form.
 */
function roleOnConnection(
  authorization: string | undefined,
  tokens: Tokens,
  connection: object,
): TokenRole | undefined {
  const before = admitted.get(connection);
  if (before && before.tokens === tokens && before.authorization === authorization) {
    return before.role;
  }
  const role = roleOf(authorization, tokens);
  admitted.set(connection, { authorization, tokens, role });
  return role;
}

/**
 * Throws `unauthenticated` if a request has none of the tokens, and `forbidden` if its token does
 * not allow what it `needs`. `connection` is what the request came over.
 */
export function checkToken(
  authorization: string | undefined,
  tokens: Tokens,
  needs: TokenRole,
  connection: object,
): void {
  const allowed = roleOnConnection(authorization, tokens, connection);
  if (allowed === undefined) {
    const what = authorization === undefined ? 'needs a token' : 'does not know this token';
    throw new MlogError('unauthenticated', `This service ${what}.`, {
      hint: 'Send it as Authorization: Bearer TOKEN; mlog takes it from --token-file or MLOG_TOKEN.',
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  }
  if (needs === 'read' || allowed === 'write') return;
  throw new MlogError('forbidden', 'This token may read but not write.', {
    hint: 'Use a token whose role is write.',
  });
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
