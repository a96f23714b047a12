import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { homeFolder } from './home-folder.ts';

/** The schemes of stores, which keep the messages themselves. */
export const storeSchemes = ['memory', 'file'] as const;

/** The schemes over which a logging service is reached. */
export const serviceSchemes = ['http', 'https', 'grpc', 'grpcs'] as const;

/** The schemes of HTTP, which is the only wire of a facade and of a messages service. */
export const httpSchemes = ['http', 'https'] as const;

/** What keeps the messages of an address. */
export type StoreScheme = (typeof storeSchemes)[number];

/** How the service at an address is reached. */
export type ServiceScheme = (typeof serviceSchemes)[number];

/** How a service is reached over gRPC. */
export type GrpcScheme = Exclude<ServiceScheme, HttpScheme>;

/** How a service is reached over HTTP. */
export type HttpScheme = (typeof httpSchemes)[number];

type Scheme = StoreScheme | ServiceScheme;

/** Where a store or a service is. Text is parsed into it once, when the settings are read. */
export interface Address<S extends Scheme = Scheme> {
  readonly scheme: S;
  /** The name or IP address of a service, an IPv6 one in brackets; empty for a store. */
  readonly host: string;
  /** The port of a service, also where the text leaves it out; 0 for a store. */
  readonly port: number;
  /** What precedes every path of a service: empty, or `/a/b`. Of a store, the path of its file. */
  readonly path: string;
  /** The address as it is shown; of a service, without a slash at its end. */
  readonly text: string;
}

/** The address of a store. */
export type StoreAddress = Address<StoreScheme>;

/** The address of a logging service. */
export type ServiceAddress = Address<ServiceScheme>;

/** The address of a service over HTTP. */
export type HttpAddress = Address<HttpScheme>;

/** The address of a service over gRPC. */
export type GrpcAddress = Address<GrpcScheme>;

type Parts = Omit<Address, 'scheme'>;

const parsers: Record<Scheme, (given: string, endpoint: string) => Parts | undefined> = {
  memory: parseMemory,
  file: parseFile,
  http: parseHttp,
  https: parseHttp,
  grpc: parseGrpc,
  grpcs: parseGrpc,
};

/**
 * Parses an address of one of the schemes; returns undefined for any other text. The path at which
 * the service answers, `endpoint`, may end an HTTP address and is dropped.
 */
export function parseAddress<S extends Scheme>(
  given: string,
  schemes: readonly S[],
  endpoint = '',
): Address<S> | undefined {
  const word = /^[a-z]+(?=:)/i.exec(given)?.[0].toLowerCase();
  const scheme = schemes.find((one) => one === word);
  const parts = scheme && parsers[scheme](given, endpoint);
  return parts && { scheme, ...parts };
}

/**
 * Parses a list of addresses, separated by commas. Returns undefined if one of them is malformed.
 */
export function parseAddresses<S extends Scheme>(
  given: string,
  schemes: readonly S[],
  endpoint = '',
): readonly [Address<S>, ...Address<S>[]] | undefined {
  const [first, ...more] = given.split(',').map((one) => parseAddress(one, schemes, endpoint));
  const isWhole = more.every((one) => one !== undefined);
  return first && isWhole ? [first, ...more] : undefined;
}

function parseMemory(given: string): Parts | undefined {
  return given === 'memory:' ? { host: '', port: 0, path: '', text: given } : undefined;
}

function parseFile(given: string): Parts | undefined {
  const path = /^file:([^\0]+)$/.exec(given)?.[1];
  if (path === undefined) return undefined;
  const absolute = path.startsWith('//') ? pathOfUrl(given) : pathOfText(path);
  return absolute === undefined ? undefined : { host: '', port: 0, path: absolute, text: given };
}

function pathOfText(path: string): string {
  return path.startsWith('~/') ? join(homeFolder(), path.slice(2)) : resolve(path);
}

function pathOfUrl(given: string): string | undefined {
  try {
    return fileURLToPath(given);
  } catch {
    // The URL names a host or has an encoded slash, so it is no path of this machine.
    return undefined;
  }
}

function parseHttp(given: string, endpoint: string): Parts | undefined {
  const url = toHttpUrl(given);
  if (!url || url.username || url.password || /[?#]/.test(given)) return undefined;
  const whole = url.pathname.replace(/\/+$/, '');
  const path = whole.endsWith(endpoint) ? whole.slice(0, whole.length - endpoint.length) : whole;
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  return { host: url.hostname, port, path, text: url.origin + path };
}

/** Parses `grpc://HOST:PORT` or `grpcs://HOST:PORT`, with nothing after it. */
function parseGrpc(given: string): Parts | undefined {
  const wellFormed = /^grpcs?:\/\/((?:[\w.-]+|\[[\da-f:.]+\])):(0*[1-9]\d*)$/i;
  const [, host, port] = wellFormed.exec(given) ?? [];
  if (host === undefined || !URL.canParse(given)) return undefined;
  return { host, port: Number(port), path: '', text: given };
}

/** Adds `http://` to `HOST:PORT`, as curl does, and leaves any other text as it is. */
export function addScheme(given: string): string {
  return /^(?:[\w.-]+|\[[\da-f:.]+\]):\d+(?:\/.*)?$/i.test(given) ? `http://${given}` : given;
}

/** Returns the part of a service's address to which paths are added, such as `http://host:8880`. */
export function originOf({ text, path }: Address): string {
  return text.slice(0, text.length - path.length);
}

/** Says whether a text may contain a password. A text that is no address may, if it has an `@`. */
export function mayHoldUser(given: string): boolean {
  const url = toHttpUrl(given);
  return url ? url.username !== '' || url.password !== '' : given.includes('@');
}

function toHttpUrl(given: string): URL | undefined {
  return /^https?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined;
}
