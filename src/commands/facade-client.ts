import { setFlagsFromString } from 'node:v8';
import type { Settings } from '../config.ts';
import { MlogError } from '../errors.ts';
import { openHttpClient, type HttpClient, type HttpReply } from '../http/client.ts';
import { isProblem, problemError } from '../http/problem.ts';

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

/** What a reply of the facade means that is not the wanted one. */
export function facadeError(reply: HttpReply, url: string): MlogError {
  if (isProblem(reply)) return problemError(reply, url);
  if (reply.status === 500) return new MlogError('outcome_unknown', errorText(reply.text));
  return problemError(reply, url);
}

/** The reference's form of an error: a JSON object with a member `error`. */
function errorText(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Not JSON: there is nothing more to tell.
  }
  return 'The facade failed and does not say why.';
}
