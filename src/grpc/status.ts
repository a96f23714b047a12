import { Metadata, status as statuses, type StatusObject } from '@grpc/grpc-js';
import { MlogError, parseCode, toMlogError, type Code } from '../errors.ts';
import {
  notListeningError,
  noReplyError,
  notTlsError,
  unknownHostError,
  untrustedError,
} from '../journal/remote/remote-errors.ts';

/** The trailers that tell more than a status can. */
const trailers = { code: 'mlog-code', firstSeq: 'mlog-first-seq' } as const;

/** Converts an error into a status. The cause stays in the diagnostics. */
export function toStatus(thrown: unknown): StatusObject {
  const { code, grpcStatus, message, hint, details } = toMlogError(thrown);
  const metadata = new Metadata();
  metadata.set(trailers.code, code);
  const { firstSeq } = details;
  if (firstSeq !== undefined) metadata.set(trailers.firstSeq, String(firstSeq));
  const said = hint === undefined ? message : `${message} ${hint}`;
  return { code: statuses[grpcStatus], details: said, metadata };
}

/** Converts a status back into an error. */
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
 * Says whether a status came from the service in place of a reply. A status that grpc-js makes on
 * this side, for a missing connection or a reset stream, has no content type.
 */
function isOfService({ metadata }: StatusObject): boolean {
  return metadata.get('content-type').length > 0 || metadata.get(trailers.code).length > 0;
}

/**
 * Returns the error for a missing reply, in the words that HTTP uses. For a failed connection,
 * grpc-js has only a status code; the code of the system is a word in the details.
 */
function toOwnError({ code, details }: StatusObject, url: string): MlogError | undefined {
  if (code === statuses.DEADLINE_EXCEEDED) return noReplyError(url);
  if (code !== statuses.UNAVAILABLE) return undefined;
  if (/\bECONNREFUSED\b/.test(details)) return notListeningError(url);
  if (details.startsWith('Name resolution failed')) return unknownHostError(url);
  if (/\b(?:EPROTO|ERR_SSL_WRONG_VERSION_NUMBER)\b/.test(details)) return notTlsError(url);
  return untrustedError(details, url);
}

/** Drops what grpc-js notes for its developers, and ends with a full stop. */
function toSentence(details: string): string {
  const said = details.replace(/\s*Resolution note:.*$/s, '').trim();
  return /[.!?]$/.test(said) ? said : `${said}.`;
}

/** Says whether a status carries an error of mlog, rather than one that grpc-js made. */
export function isOwnStatus({ metadata }: Partial<StatusObject>): boolean {
  return (metadata?.get(trailers.code).length ?? 0) > 0;
}

/**
 * Says whether a call ended because something was too large or too much, and not by an error of
 * mlog.
 */
export function isExhausted({ code, metadata }: StatusObject): boolean {
  return code === statuses.RESOURCE_EXHAUSTED && metadata.get(trailers.code).length === 0;
}

/**
 * Says whether the service refused the only message of a call without reading it, as grpc-js does
 * when it is too large. About a message that it read, mlog would report an error of its own.
 */
export function isUnread(status: StatusObject): boolean {
  return isExhausted(status) && isOfService(status);
}

/**
 * Returns the meaning of a status without a code of mlog: a refusal if it can mean nothing else,
 * otherwise something that may pass.
 */
export function codeOf(status: statuses): Code {
  switch (status) {
    case statuses.INVALID_ARGUMENT:
    case statuses.FAILED_PRECONDITION:
      return 'invalid_argument';
    case statuses.UNAUTHENTICATED:
      return 'unauthenticated';
    case statuses.PERMISSION_DENIED:
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
