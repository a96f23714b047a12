import { hasErrno, MlogError } from '../../errors.ts';
import {
  notListeningError,
  noReplyError,
  notHttpError,
  notTlsError,
  unknownHostError,
  untrustedError,
} from '../../journal/remote/remote-errors.ts';

/** Converts an error of undici or of Node's client into an `MlogError` that names the service. */
export function toClientError(error: unknown, url: string): MlogError {
  if (error instanceof MlogError) return error;
  if (error instanceof Error && error.name === 'TimeoutError') return noReplyError(url, error);
  if (
    hasErrno(error, 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT')
  ) {
    return noReplyError(url, error);
  }
  if (hasErrno(error, 'ECONNREFUSED')) return notListeningError(url, error);
  if (hasErrno(error, 'ENOTFOUND', 'EAI_AGAIN')) return unknownHostError(url, error);
  if (hasErrno(error, 'ECONNRESET', 'UND_ERR_SOCKET')) {
    return new MlogError('unavailable', `The connection to ${url} was lost.`, { cause: error });
  }
  if (hasErrno(error, 'EMFILE', 'ENFILE')) {
    return new MlogError('unavailable', `There is no descriptor left to connect to ${url}.`, {
      hint: 'Raise the limit of open files (ulimit -n) of this process.',
      cause: error,
    });
  }
  if (hasErrno(error, 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG')) {
    return notTlsError(url, error);
  }
  if (hasErrno(error, 'HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION')) {
    return notHttpError(url, error);
  }
  const untrusted = error instanceof Error && untrustedError(error.message, url, error);
  if (untrusted) return untrusted;
  const reason = error instanceof Error ? error.message : String(error);
  return new MlogError('unavailable', `The connection to ${url} failed: ${reason}.`, {
    cause: error,
  });
}

/**
 * The largest reply that is read as a whole. It exceeds the reply to 10,000 messages with ids of
 * 256 bytes.
 */
export const replyMaxBytes = 16 * 1024 * 1024;

/** Returns the error for a larger reply. */
export function tooLongError(): MlogError {
  return new MlogError('unavailable', `The reply is larger than ${replyMaxBytes} bytes.`);
}
