import type { Socket } from 'node:net';
import { hasErrno, MlogError } from '../../errors.ts';
import type { Connections } from './connections.ts';
import { mediaTypes } from '../formats.ts';
import { toProblem } from '../problem.ts';
import { toRawReply, type Reply } from './reply.ts';

/** Returns the reply that reports an error to a client. */
export function toErrorReply(error: MlogError): Reply & { readonly body: string } {
  const { httpStatus: status, httpHeaders: headers } = error;
  return { status, type: mediaTypes.problem, headers, body: toProblem(error) };
}

/** Answers a request that the HTTP parser refused, for which there is no request object. */
export function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Connections,
): void {
  const response = connections.current(socket);
  // Malformed bytes follow a whole request, whose reply goes first.
  if (response?.req.complete) return void response.once('finish', () => socket.destroySoon());
  // The head was refused already, and what follows it is no body.
  if (response?.headersSent && response.statusCode >= 400) return socket.destroySoon();
  // Some lines of a bulk body may be stored, so it cannot be refused as a whole.
  const isPartly =
    response?.headersSent || response?.req.headers['content-type']?.includes('ndjson');
  if (isPartly || !socket.writable) return void socket.destroy();
  const refusal = hasErrno(error, 'HPE_HEADER_OVERFLOW')
    ? new MlogError('headers_too_large', 'The headers are larger than 16 KiB.')
    : hasErrno(error, 'ERR_HTTP_REQUEST_TIMEOUT')
      ? new MlogError('request_timeout', 'The request did not arrive in time.')
      : hasErrno(error, 'HPE_INVALID_EOF_STATE')
        ? new MlogError('invalid_argument', 'The connection ended before the request did.')
        : new MlogError('invalid_argument', 'This is not valid HTTP.');
  socket.end(toRawReply(toErrorReply(refusal)));
}
