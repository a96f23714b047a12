import { setFlagsFromString } from 'node:v8';
import type { HttpAddress } from '../address.ts';
import type { MlogError } from '../errors.ts';
import { openHttpClient, type HttpClient } from '../http/client/client.ts';
import type { Reach } from '../net/reach.ts';
import { remark } from './print.ts';

// The HTTP parser of undici is WebAssembly. Compiling it for speed takes a thread 70 ms, a process
// that is done waits for that, and a command parses one reply.
setFlagsFromString('--liftoff-only');

/** Runs an action with a client of the facade, and closes it. */
export async function withFacade<T>(
  { url, timeoutMs }: Reach & { readonly url: HttpAddress },
  action: (client: HttpClient) => Promise<T>,
): Promise<T> {
  const client = openHttpClient(url, { timeoutMs });
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}

/** How a command that reads a list gets over a facade that is away for a moment. */
export const patience = {
  pauseMs: 1_000,
  attemptsMax: 5,
  onOutage: ({ message }: MlogError): void => remark(`${message} Resuming.`),
};
