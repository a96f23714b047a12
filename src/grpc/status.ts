import { Metadata, status as statuses, type StatusObject } from '@grpc/grpc-js';
import { isCode, MlogError, toMlogError, type Code } from '../errors.ts';

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
export function statusError({ code, details, metadata }: StatusObject, url: string): MlogError {
  const [word] = metadata.get(trailers.code);
  const [firstSeq] = metadata.get(trailers.firstSeq);
  const said = `The call to ${url} ended with ${statuses[code]}: ${details}`;
  return new MlogError(isCode(word) ? word : codeOf(code), said, {
    ...(firstSeq !== undefined && { details: { firstSeq: Number(firstSeq) } }),
  });
}

/** Says whether a call ended because of too much of something, and not by a word of mlog. */
export function isExhausted({ code, metadata }: StatusObject): boolean {
  return code === statuses.RESOURCE_EXHAUSTED && metadata.get(trailers.code).length === 0;
}

/**
 * Says whether the other end refused the only message of a call unread, as grpc-js does with one
 * that is too large. Its status comes in the place of the reply then, with a type of content; one
 * that grpc-js makes at this end, of a stream that was reset, bears nothing.
 */
export function isUnread(status: StatusObject): boolean {
  return isExhausted(status) && status.metadata.get('content-type').length > 0;
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
