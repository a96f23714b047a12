import * as http from 'node:http';
import { text } from 'node:stream/consumers';
import type { Reply } from '../support/http.ts';

const requestTimeoutMs = 60_000;

/** The media types of the bodies that are sent. */
export const types = {
  form: 'application/x-www-form-urlencoded',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  text: 'text/plain',
} as const;

/** One POST. */
export type Post = {
  type: string;
  body: string | Uint8Array;
  headers?: http.OutgoingHttpHeaders;
};

/** Clients on persistent connections. */
export type Clients = {
  /** Sends one request. Rejects only if no complete reply arrives. */
  post: (url: string, post: Post) => Promise<Reply>;
  get: (url: string, headers?: http.OutgoingHttpHeaders) => Promise<Reply>;
  close: () => void;
};

/** Opens at most this many connections, on demand. */
export const openClients = (count: number): Clients => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count });

  const exchange = async (
    url: string,
    options: http.RequestOptions,
    body?: string | Uint8Array,
  ): Promise<Reply> => {
    const signal = AbortSignal.timeout(requestTimeoutMs);
    const request = http.request(url, { ...options, agent, signal });
    const responded = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject);
    });
    // As bytes: for a string, Node would write the headers in its encoding, too.
    request.end(body === undefined ? body : Buffer.from(body));
    const response = await responded;
    const { statusCode = 0, headers } = response;
    return { status: statusCode, headers, text: await text(response) };
  };

  return {
    post: (url, { type, body, headers = {} }) => {
      const length = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
      return exchange(url, { method: 'POST', headers: { ...length, ...headers } }, body);
    },
    get: (url, headers = {}) => exchange(url, { headers }),
    close: () => agent.destroy(),
  };
};

/** Runs an action for each item, this many at a time. */
export const atOnce = async <T>(
  count: number,
  things: Iterable<T>,
  work: (thing: T) => Promise<void>,
): Promise<void> => {
  const left = things[Symbol.iterator]();
  const workThrough = async (): Promise<void> => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: count }, workThrough));
};

/** Returns the whole numbers from 1 to `count`. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
