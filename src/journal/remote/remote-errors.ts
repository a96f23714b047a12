import { hasErrno, MlogError } from '../../errors.ts';
import { describeFlaw } from '../../security/certificate-check.ts';

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

/**
 * Returns the error for a service whose certificate proves nothing; undefined if an error of Node,
 * in words or by code, has another reason. No other attempt would mend it.
 */
export function untrustedError(error: string, url: string, cause?: unknown): MlogError | undefined {
  const flaw = describeFlaw(error);
  if (flaw === undefined) return undefined;
  return new MlogError('untrusted', `The certificate of ${url} ${flaw}.`, {
    hint: 'Nothing was sent. --ca names the certificates to trust; the name is that in the address.',
    isUnsent: true,
    cause,
  });
}

/** Returns the error for an address where something speaks another protocol than its scheme says. */
export function notTlsError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `What listens at ${url} does not speak TLS.`, {
    hint: 'Is its scheme http:// or grpc://, without the s?',
    cause,
  });
}

/** Returns the error for an address without TLS where something answers that is not HTTP. */
export function notHttpError(url: string, cause?: unknown): MlogError {
  return new MlogError('unavailable', `What listens at ${url} does not speak HTTP.`, {
    hint: 'If it speaks TLS, its address begins with https://.',
    cause,
  });
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
