import { authorizationOf, type Reach } from '../../net/reach.ts';

/** Adds the token of a client to the headers of a request. */
export function withAuthorization(
  headers: Readonly<Record<string, string>> = {},
  reach: Reach,
): Record<string, string> {
  const authorization = authorizationOf(reach);
  return authorization === undefined ? headers : { ...headers, authorization };
}
