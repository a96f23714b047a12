import { MlogError } from '../errors.ts';

/** What a browser tells about the page that makes a request. A program tells nothing. */
export interface PageHeaders {
  /** The `Host`, or the authority in HTTP/2. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/). */
  readonly site: string | undefined;
}

/**
 * Throws `forbidden` if a page of another origin makes a request that may change something. The
 * browser would send it, although the page may not read the reply.
 */
export function checkOrigin(
  { host, origin, site }: PageHeaders,
  allowed: ReadonlySet<string>,
): void {
  if (origin !== undefined && allowed.has(origin)) return;
  if (site === undefined) {
    if (origin === undefined || isOfHost(origin, host)) return;
  } else if (site === 'same-origin' || site === 'none') return;
  throw new MlogError('forbidden', 'A page of another origin may not send to this service.', {
    hint: 'If the page may, start the service with --allow-origin and the origin of the page.',
  });
}

/** Says whether an origin is that of a host. The scheme may be that of a proxy in front. */
function isOfHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: own } = new URL(origin);
  const asked = `${protocol}//${host}`;
  return /^https?:$/.test(protocol) && URL.canParse(asked) && new URL(asked).host === own;
}

/**
 * Parses origins separated by commas, such as `https://app.example,http://localhost:3000`. Returns
 * undefined if one is anything but a scheme, a host and a port.
 */
export function parseOrigins(given: string): readonly string[] | undefined {
  const origins = given.split(',').map(parseOrigin);
  return origins.every((one) => one !== undefined) ? origins : undefined;
}

function parseOrigin(given: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\s]+$/i.test(given) || !URL.canParse(given)) return undefined;
  return new URL(given).origin;
}
