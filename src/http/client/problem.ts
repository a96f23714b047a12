import { isCallerRefused, MlogError, parseCode, type Code } from '../../errors.ts';
import { mediaTypes } from '../formats.ts';
import type { HttpClient, HttpReply } from './client.ts';

/** Says whether a reply carries a problem document, like every refusal of mlog. */
export function isProblem(reply: Pick<HttpReply, 'header'>): boolean {
  return reply.header('content-type').startsWith(mediaTypes.problem);
}

/** Converts the problem document of a service back into an error. */
export function problemError(reply: HttpReply, url = reply.url): MlogError {
  let problem: { detail?: unknown; code?: unknown; firstSeq?: unknown } = {};
  try {
    problem = (JSON.parse(reply.text) as typeof problem | null) ?? {};
  } catch {
    // A reply to HEAD has no body, and a broken one has no detail. The status is enough.
  }
  const { detail, code, firstSeq } = problem;
  const said = typeof detail === 'string' ? detail : undefined;
  const { message, hint, ...error } = statusError(reply, url, said);
  return new MlogError(codeOfProblem(code, reply.status) ?? error.code, message, {
    hint,
    ...(typeof firstSeq === 'number' && { details: { firstSeq } }),
  });
}

/** Accepts a code only if the status agrees on whether this is a refusal. */
function codeOfProblem(word: unknown, status: number): Code | undefined {
  const code = parseCode(word);
  if (!code) return undefined;
  return new MlogError(code, '').httpStatus >= 500 === status >= 500 ? code : undefined;
}

/** What a failed reply tells. */
export type FailedReply = Pick<HttpReply, 'status' | 'header' | 'url'>;

/**
 * Converts a reply other than success into an error. A 4xx is a refusal. Everything else may be
 * retried, including a redirect, by which a proxy may divert clients for a while.
 */
export function statusError(reply: FailedReply, url = reply.url, detail?: string): MlogError {
  const { status } = reply;
  const answered = `The service at ${url} answered ${status}`;
  if (isRedirect(reply)) {
    const location = reply.header('location') || 'nowhere';
    return new MlogError(
      'unavailable',
      `${answered}, a redirect to ${location}; redirects are not followed.`,
      { hint: 'Give the address that it redirects to.', isUnexpected: true },
    );
  }
  return new MlogError(
    codeOfStatus(status),
    `${answered}${detail === undefined ? '.' : `: ${detail}`}`,
  );
}

/**
 * Returns the error for a reply to HEAD, which has no body: a refusal tells its reason to a GET of
 * the same path.
 */
export async function headError(
  client: HttpClient,
  path: string,
  reply: HttpReply,
): Promise<MlogError> {
  const failure = statusError(reply);
  if (!isCallerRefused(failure)) return failure;
  const told = await client.exchange({ method: 'GET', path: `${path}?limit=0` });
  return isProblem(told) ? problemError(told) : failure;
}

/** Says whether a reply redirects to another address (RFC 9110, section 15.4). */
export function isRedirect({ status }: Pick<HttpReply, 'status'>): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function codeOfStatus(status: number): Code {
  switch (status) {
    case 401:
      return 'unauthenticated';
    case 403:
      return 'forbidden';
    case 404:
      return 'not_found';
    case 408:
      return 'request_timeout';
    case 410:
      return 'gone';
    case 413:
      return 'too_large';
    case 421:
      return 'misdirected';
    case 422:
      return 'conflict';
    case 429:
    case 503:
      return 'overloaded';
    case 501:
      return 'unimplemented';
    case 507:
      return 'storage_full';
    default:
      return status >= 400 && status < 500 ? 'invalid_argument' : 'unavailable';
  }
}
