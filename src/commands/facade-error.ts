import { MlogError } from '../errors.ts';
import type { HttpReply } from '../http/client.ts';
import { isProblem, problemError } from '../http/problem.ts';

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
