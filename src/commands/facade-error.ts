import { MlogError } from '../errors.ts';
import type { HttpClient, HttpReply } from '../http/client/client.ts';
import { isProblem, problemError } from '../http/client/problem.ts';

/** Returns the error for an address where something other than a facade answers. */
export function notFacadeError(url: string): MlogError {
  return new MlogError('failed_precondition', `The service at ${url} is not a facade.`, {
    hint: 'Set the address of the facade with --url or MLOG_URL.',
  });
}

/** Returns the error for an unexpected reply of a facade. */
export async function facadeError(
  reply: HttpReply,
  client: Pick<HttpClient, 'url' | 'exchange'>,
): Promise<MlogError> {
  const { url } = client;
  const isElsewhere = reply.status === 404 || reply.status === 405;
  const role = isElsewhere ? await roleOf(client) : '';
  if (role !== '' && role !== 'facade') {
    return new MlogError('not_found', `${url} is the ${role} service, not a facade.`, {
      hint: 'Set the address of the facade with --url or MLOG_URL; the default is port 8880 here.',
    });
  }
  if (isProblem(reply)) return problemError(reply, url);
  if (reply.status === 500) return new MlogError('outcome_unknown', errorText(reply.text));
  return problemError(reply, url);
}

/** Returns the role that an mlog service reports; empty for any other service. */
async function roleOf(client: Pick<HttpClient, 'exchange'>): Promise<string> {
  try {
    return (await client.exchange({ method: 'GET', path: '/livez' })).header('mlog-role');
  } catch {
    return '';
  }
}

/** Reads an error as the reference writes it: a JSON object with a member `error`. */
function errorText(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Not JSON, so there is nothing more to report.
  }
  return 'The facade failed and does not say why.';
}
