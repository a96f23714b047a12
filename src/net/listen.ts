import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { hasErrno, MlogError, toMlogError } from '../errors.ts';

/**
 * Starts listening; port 0 takes any free port. Returns host and port as they appear in a URL.
 * Throws `failed_precondition` if the address cannot be used.
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw toListenError(error, host, port);
  }
  const { address, family, port: taken } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${taken}`;
}

/** Says whether `listen` failed because the port is taken. */
export function isInUse(error: unknown): boolean {
  return error instanceof MlogError && hasErrno(error.cause, 'EADDRINUSE');
}

const foreignCodes = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EAFNOSUPPORT', 'EINVAL'];

function toListenError(error: unknown, host: string, port: number): MlogError {
  if (hasErrno(error, 'EADDRINUSE')) {
    return new MlogError('failed_precondition', `Port ${port} of ${host} is in use.`, {
      hint:
        'Stop what listens there, or choose another: --port, --logging-port, --messages-port, ' +
        '--grpc-port.',
      cause: error,
    });
  }
  if (hasErrno(error, 'EACCES')) {
    return new MlogError('failed_precondition', `Port ${port} is not allowed to this user.`, {
      hint: 'Choose a port of 1024 or more.',
      cause: error,
    });
  }
  // An IPv6 address fails on a machine without IPv6, and with EINVAL if it lacks its zone.
  if (hasErrno(error, ...foreignCodes)) {
    return new MlogError('failed_precondition', `${host} is not an address of this machine.`, {
      hint: 'Choose another --host, such as 127.0.0.1.',
      cause: error,
    });
  }
  return toMlogError(error);
}
