import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { MlogError } from '../../errors.ts';
import type { Access } from '../../security/access.ts';
import type { HostList } from '../../security/hosts.ts';
import { checkOrigin } from '../../security/origins.ts';
import { checkCertificate } from '../../security/certificate-check.ts';
import { checkToken } from '../../security/tokens.ts';

const headersMaxCount = 100;

/**
 * The headers that must not repeat, since two of them contradict each other. Node takes the first
 * of some and joins others.
 */
const singleHeaders = new Set([
  'host',
  'content-type',
  'content-length',
  'idempotency-key',
  'last-event-id',
  'origin',
  'sec-fetch-site',
  'authorization',
]);

/**
 * Before llhttp 9, as in Node 20.19, the parser accepts headers without a name and names with
 * spaces, so two programs in a row may see different requests.
 */
const isParserLenient = Number.parseInt(process.versions['llhttp'] ?? '0', 10) < 9;

/** Refuses a request by throwing, whatever its route. */
export type Guard = (request: IncomingMessage) => void;

/**
 * Returns the guards that every request passes in order, before its route is looked up and its body
 * read.
 */
export function createGuards({ hosts, origins }: Access): readonly Guard[] {
  return [checkHeaders, allowedHost(hosts), allowedOrigin(origins), checkTransferCoding];
}

/** Throws `headers_too_large`, or `invalid_argument` for a malformed or repeated name. */
function checkHeaders({ rawHeaders, headers }: IncomingMessage): void {
  if (rawHeaders.length > 2 * headersMaxCount) {
    throw new MlogError('headers_too_large', `There are more than ${headersMaxCount} headers.`);
  }
  if (isParserLenient) checkNames(rawHeaders);
  // If all names differ, nothing is repeated. Looking at each name costs more.
  if (rawHeaders.length !== 2 * Object.keys(headers).length) checkRepeated(rawHeaders);
}

/**
 * Throws `invalid_argument` if the host is missing (RFC 9112, section 3.2), and `misdirected` if it
 * is not on the list. HTTP/1.0 needs none: no browser speaks it, and the checks of HAProxy do.
 */
function allowedHost(hosts: HostList): Guard {
  return ({ headers: { host }, httpVersion, socket, url = '/' }) => {
    if (host !== undefined) hosts.check(host, socket.localAddress);
    else if (httpVersion !== '1.0') {
      throw new MlogError('invalid_argument', 'The request has no Host header.');
    }
    // The target may be a whole URL with a host of its own (RFC 9112, section 3.2.2).
    if (url.startsWith('/') || !URL.canParse(url)) return;
    hosts.check(new URL(url).host, socket.localAddress);
  };
}

/** The methods that change nothing. */
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Throws `forbidden` if a page of another origin sends something. */
function allowedOrigin(origins: ReadonlySet<string>): Guard {
  return ({ method = '', headers }) => {
    if (safeMethods.has(method)) return;
    const { host, origin, 'sec-fetch-site': site } = headers;
    checkOrigin({ host, origin, site: site?.toString() }, origins);
  };
}

/**
 * Throws `unauthenticated` or `forbidden` if the certificate or the token that a service asks for
 * is missing or unknown, or if the token allows less. Returns false for a probe, which is then
 * answered by its status alone.
 */
export function mayAsk(
  { method = '', headers, socket }: IncomingMessage,
  { tokens, asksCertificate }: Access,
  isProbe: boolean,
): boolean {
  try {
    if (asksCertificate) checkCertificate(socket as TLSSocket, socket);
    if (!tokens) return true;
    const needs = safeMethods.has(method) ? 'read' : 'write';
    checkToken(headers.authorization, tokens.tokens(), needs, socket);
    return true;
  } catch (error) {
    if (isProbe) return false;
    throw error;
  }
}

/**
 * Throws `unsupported_media_type` for a transfer coding other than `chunked`, since nothing here
 * decodes it.
 */
function checkTransferCoding({ headers }: IncomingMessage): void {
  const coding = headers['transfer-encoding'];
  if (coding === undefined || coding.toLowerCase() === 'chunked') return;
  throw new MlogError('unsupported_media_type', `A body in ${coding} coding is not accepted.`, {
    hint: 'Send it with a Content-Length, or with Transfer-Encoding: chunked alone.',
  });
}

function checkRepeated(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (singleHeaders.has(name) && seen.has(name)) {
      throw new MlogError('invalid_argument', `The header ${rawHeaders[index]} is repeated.`, {
        hint: 'Send it once.',
      });
    }
    seen.add(name);
  }
}

function checkNames(rawHeaders: readonly string[]): void {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name !== '' && !name.includes(' ')) continue;
    throw new MlogError(
      'invalid_argument',
      'This is not valid HTTP: a header has a malformed name.',
    );
  }
}
