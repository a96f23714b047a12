import { setFlagsFromString } from 'node:v8';
import type { HttpAddress } from '../address.ts';
import type { MlogError } from '../errors.ts';
import { openHttpClient, type HttpClient } from '../http/client/client.ts';
import { remark } from './print.ts';
import { reachOf, type CredentialOptions } from './reach.ts';

// The HTTP parser of undici is WebAssembly. Optimizing it takes a thread 70 ms, for which a
// finished process waits, although a command parses a single reply.
setFlagsFromString('--liftoff-only');

/** Where the facade is, and what to send to it besides the request. */
export interface ClientOptions extends CredentialOptions {
  readonly url: HttpAddress;
  readonly timeoutMs: number;
}

/** Runs an action with a client of the facade, then closes the client. */
export async function withFacade<T>(
  settings: ClientOptions,
  action: (client: HttpClient) => Promise<T>,
): Promise<T> {
  const client = openHttpClient(settings.url, reachOf(settings));
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}

/** How a command that reads a list survives a short outage of the facade. */
export const resumePace = {
  pauseMs: 1_000,
  attemptsMax: 5,
  onOutage: ({ message }: MlogError): void => remark(`${message} Resuming.`),
};
