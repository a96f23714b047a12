import { STATUS_CODES } from 'node:http';
import { addDetails, MlogError, type Code } from '../errors.ts';
import type { HttpReply } from './client.ts';
import { mediaTypes, toJsonLine } from './formats.ts';

/** Writes an error as a problem document (RFC 9457); what is internal stays in the diagnostics. */
export function toProblem(error: MlogError): string {
  const { httpStatus, message, hint, code, details } = error;
  return toJsonLine({
    type: 'about:blank',
    title: STATUS_CODES[httpStatus] ?? 'Error',
    status: httpStatus,
    detail: hint === undefined ? message : `${message} ${hint}`,
    code,
    ...details,
  });
}

/** Says whether a reply carries a problem document, as every refusal of mlog does. */
export function isProblem(reply: Pick<HttpReply, 'header'>): boolean {
  return reply.header('content-type').startsWith(mediaTypes.problem);
}

/** Turns a problem document from a service back into an error. */
export function problemError(reply: HttpReply, url: string): MlogError {
  let problem: { detail?: unknown; firstSeq?: unknown } = {};
  try {
    problem = JSON.parse(reply.text) as typeof problem;
  } catch {
    // A reply to HEAD has no body, a broken one no detail: the status says enough.
  }
  const { detail, firstSeq } = problem;
  const error = statusError(reply.status, url, typeof detail === 'string' ? detail : undefined);
  return typeof firstSeq === 'number' ? (addDetails(error, { firstSeq }) as MlogError) : error;
}

/** Turns a status other than success into an error: 4xx is a refusal, all else may be retried. */
export function statusError(status: number, url: string, detail?: string): MlogError {
  return new MlogError(
    codeOfStatus(status),
    `The service at ${url} answered ${status}${detail === undefined ? '.' : `: ${detail}`}`,
  );
}

function codeOfStatus(status: number): Code {
  switch (status) {
    case 403:
      return 'forbidden';
    case 404:
      return 'not_found';
    case 410:
      return 'gone';
    case 413:
      return 'too_large';
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
