import { hasErrno, MlogError } from '../../errors.ts';

/** Returns the error for a service that does not reply in time. */
export function noReplyError(url: string, cause?: unknown): MlogError {
  return new MlogError('deadline_exceeded', `No reply from ${url} in time.`, { cause });
}

/** Returns the error for an address where nothing listens. */
export function notListeningError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `Nothing listens at ${url}.`, {
    hint: 'Is it started (`mlog serve`), and is that its address?',
    cause,
  });
}

/** Says whether an attempt failed before it sent anything, because nothing listens there. */
export function isNotListeningError({ cause }: MlogError): boolean {
  return hasErrno(cause, 'ECONNREFUSED');
}

/** Returns the error for a host name that does not resolve. */
export function unknownHostError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `The host name of ${url} does not resolve.`, { cause });
}

/** Returns the error for a reply that no logging service gives. */
export function unexpectedReplyError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `The reply of ${url} is not from a logging service.`, {
    isUnexpected: true,
    cause,
  });
}

/** Returns the error for an address where something other than a logging service answers. */
export function notLoggingError(what: string, cause?: unknown): MlogError {
  return new MlogError('bad_gateway', what, {
    hint: 'Is that the address of a logging service? See --logging, or --follow of a replica.',
    isUnexpected: true,
    cause,
  });
}
