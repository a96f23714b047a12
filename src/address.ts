/**
 * Reads the http(s) address of a service and gives its base, to which paths are added. `endpoint`, a
 * path such as `/logging`, may stand at its end. Gives undefined for a text that is no such address
 * or has a user, a password, a query or a fragment in it.
 */
export function parseHttpAddress(given: string, endpoint = ''): string | undefined {
  const url = toHttpUrl(given);
  if (!url || url.username || url.password || /[?#]/.test(given)) return undefined;
  const path = url.pathname.replace(/\/+$/, '');
  return (
    url.origin + (path.endsWith(endpoint) ? path.slice(0, path.length - endpoint.length) : path)
  );
}

/** Adds `http://` to `HOST:PORT`, as curl does, and leaves any other text as it is. */
export function addScheme(given: string): string {
  return /^(?:[\w.-]+|\[[\da-f:.]+\]):\d+(?:\/.*)?$/i.test(given) ? `http://${given}` : given;
}

/** Says whether an address is one of gRPC: `grpc://HOST:PORT` and nothing behind. */
export function isGrpcAddress(given: string): boolean {
  return /^grpc:\/\/(?:[\w.-]+|\[[\da-f:.]+\]):0*[1-9]\d*$/i.test(given) && URL.canParse(given);
}

/** Says whether a text may have a password in it; of one that is no address, any with an @ may. */
export function mayHoldUser(given: string): boolean {
  const url = toHttpUrl(given);
  return url ? url.username !== '' || url.password !== '' : given.includes('@');
}

function toHttpUrl(given: string): URL | undefined {
  return /^https?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined;
}
