import { setFlagsFromString } from 'node:v8';
import type { Settings } from '../config.ts';
import { openHttpClient, type HttpClient } from '../http/client.ts';

// The HTTP parser of undici is WebAssembly. Compiling it for speed takes a thread 70 ms, a process
// that is done waits for that, and a command parses one reply.
setFlagsFromString('--liftoff-only');

/** Runs an action with a client of the facade, and closes it. */
export async function withFacade<T>(
  { url, timeoutMs }: Settings,
  action: (client: HttpClient) => Promise<T>,
): Promise<T> {
  const client = openHttpClient(url, { timeoutMs });
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}
