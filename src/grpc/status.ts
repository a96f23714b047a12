import { Metadata, status as statuses, type StatusObject } from '@grpc/grpc-js';
import { MlogError, parseCode, toMlogError, type Code } from '../errors.ts';
import { nobodyError, silentError, unknownHostError } from '../journal/remote/no-answer.ts';

/** The trailers that say more than a status can. */
const trailers = { code: 'mlog-code', firstSeq: 'mlog-first-seq' } as const;

/** Says by a status what went wrong; what is internal stays in the diagnostics. */
export function toStatus(thrown: unknown): StatusObject {
  const { code, grpcStatus, message, hint, details } = toMlogError(thrown);
  const metadata = new Metadata();
  metadata.set(trailers.code, code);
  const { firstSeq } = details;
  if (firstSeq !== undefined) metadata.set(trailers.firstSeq, String(firstSeq));
  const said = hint === undefined ? message : `${message} ${hint}`;
  return { code: statuses[grpcStatus], details: said, metadata };
}

/** Turns a status back into an error. */
export function statusError(status: StatusObject, url: string): MlogError {
  const { code, details, metadata } = status;
  const [word] = metadata.get(trailers.code);
  const [firstSeq] = metadata.get(trailers.firstSeq);
  const ownError = isOfService(status) ? undefined : toOwnError(status, url);
  if (ownError) return ownError;
  const said = `The call to ${url} ended with ${statuses[code]}: ${toSentence(details)}`;
  return new MlogError(parseCode(word) ?? codeOf(code), said, {
    ...(firstSeq !== undefined && { details: { firstSeq: Number(firstSeq) } }),
  });
}

/**
 * Says whether a status came from the other end in the place of a reply. One that grpc-js makes at
 * this end, because there is no connection or a stream was reset, bears no type of content.
 */
function isOfService({ metadata }: StatusObject): boolean {
  return metadata.get('content-type').length > 0 || metadata.get(trailers.code).length > 0;
}

/**
 * Says in our words, as over HTTP, why there is no reply. Of a connection that failed grpc-js has no
 * code but that of the status; the one of the system is a word among its details.
 */
function toOwnError({ code, details }: StatusObject, url: string): MlogError | undefined {
  if (code === statuses.DEADLINE_EXCEEDED) return silentError(url);
  if (code !== statuses.UNAVAILABLE) return undefined;
  if (/\bECONNREFUSED\b/.test(details)) return nobodyError(url);
  if (details.startsWith('Name resolution failed')) return unknownHostError(url);
  return undefined;
}

/** Leaves out what grpc-js notes for its makers, and ends with a stop. */
function toSentence(details: string): string {
  const said = details.replace(/\s*Resolution note:.*$/s, '').trim();
  return /[.!?]$/.test(said) ? said : `${said}.`;
}

/** Says whether a status tells an error of mlog, and is not one that grpc-js has made. */
export function isOwnStatus({ metadata }: Partial<StatusObject>): boolean {
  return (metadata?.get(trailers.code).length ?? 0) > 0;
}

/** Says whether a call ended because of too much of something, and not by a word of mlog. */
export function isExhausted({ code, metadata }: StatusObject): boolean {
  return code === statuses.RESOURCE_EXHAUSTED && metadata.get(trailers.code).length === 0;
}

/**
 * Says whether the other end refused the only message of a call unread, as grpc-js does with one
 * that is too large: of one that was read, it would be told by a word of mlog.
 */
export function isUnread(status: StatusObject): boolean {
  return isExhausted(status) && isOfService(status);
}

/**
 * What a status means that bears no code of mlog: a refusal where it cannot mean anything else, or
 * something that may pass.
 */
export function codeOf(status: statuses): Code {
  switch (status) {
    case statuses.INVALID_ARGUMENT:
    case statuses.FAILED_PRECONDITION:
      return 'invalid_argument';
    case statuses.PERMISSION_DENIED:
    case statuses.UNAUTHENTICATED:
      return 'forbidden';
    case statuses.NOT_FOUND:
      return 'not_found';
    case statuses.ALREADY_EXISTS:
      return 'conflict';
    case statuses.OUT_OF_RANGE:
      return 'gone';
    case statuses.RESOURCE_EXHAUSTED:
      return 'overloaded';
    case statuses.DEADLINE_EXCEEDED:
      return 'deadline_exceeded';
    case statuses.UNIMPLEMENTED:
      return 'unimplemented';
    default:
      return 'unavailable';
  }
}
