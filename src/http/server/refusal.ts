import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { hasErrno, MlogError } from '../../errors.ts';
import type { Connections } from './connections.ts';
import { mediaTypes } from '../formats.ts';
import { toProblem } from '../problem.ts';
import type { Reply } from './reply.ts';

/** The reply that tells an error. */
export function toErrorReply(error: MlogError): Reply & { readonly body: string } {
  const headers: Record<string, string> = {};
  if (error.code === 'method_not_allowed') headers['Allow'] = String(error.details['allow']);
  if (error.httpStatus === 503) headers['Retry-After'] = '1';
  return { status: error.httpStatus, type: mediaTypes.problem, headers, body: toProblem(error) };
}

/** Answers what the HTTP parser refuses; there is no request object for it. */
export function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Connections,
): void {
  const response = connections.current(socket);
  // Behind a whole request comes something that is none: the reply to the request goes first.
  if (response?.req.complete) return void response.once('finish', () => socket.destroySoon());
  // The request was refused by its head, and what follows the head is no body.
  if (response?.headersSent && response.statusCode >= 400) return socket.destroySoon();
  // Part of a body of lines may be stored already, so it cannot be refused any more.
  const isPartly =
    response?.headersSent || response?.req.headers['content-type']?.includes('ndjson');
  if (isPartly || !socket.writable) return void socket.destroy();
  const refusal = hasErrno(error, 'HPE_HEADER_OVERFLOW')
    ? new MlogError('headers_too_large', 'The headers are larger than 16 KiB.')
    : hasErrno(error, 'ERR_HTTP_REQUEST_TIMEOUT')
      ? new MlogError('request_timeout', 'The request did not come in time.')
      : hasErrno(error, 'HPE_INVALID_EOF_STATE')
        ? new MlogError('invalid_argument', 'The connection ended before the request did.')
        : new MlogError('invalid_argument', 'This is not valid HTTP.');
  const { httpStatus } = refusal;
  const body = toProblem(refusal);
  socket.end(
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}\r\nConnection: close\r\n` +
      `Cache-Control: no-store\r\nContent-Type: ${mediaTypes.problem}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
