import request from 'undici/lib/api/api-request.js';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { originOf, type HttpAddress } from '../../address.ts';
import { asUnsent, MlogError } from '../../errors.ts';
import { noReplyError } from '../../journal/remote/remote-errors.ts';
import type { TextStream } from '../../journal/texts.ts';
import type { Reach } from '../../net/reach.ts';
import { withAuthorization } from './authorization.ts';
import { replyMaxBytes, toClientError, tooLongError } from './transport-error.ts';

/** One request. */
export interface HttpRequestOptions {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** The path and query below the address of the service. */
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** One request whose reply is streamed. */
export interface HttpStreamOptions extends HttpRequestOptions {
  /**
   * How long the stream may be silent between two pieces. Defaults to the time limit of a request.
   */
  readonly silenceMaxMs?: number;
}

/** A reply that was read to its end. */
export interface HttpReply {
  /** The URL that was requested, without its query. */
  readonly url: string;
  readonly status: number;
  /** Returns a header by its lower-case name; empty if it is missing. */
  readonly header: (name: string) => string;
  readonly text: string;
}

/** A reply whose body is still arriving. */
export type HttpStream = Omit<HttpReply, 'text'> & TextStream;

/** A pool of connections to one service. Every failure is an `MlogError`. */
export interface HttpClient {
  readonly url: string;
  /** Sends a request and reads the whole reply, up to `replyMaxBytes`. */
  exchange(options: HttpRequestOptions): Promise<HttpReply>;
  /** Sends a request and returns the reply as soon as its head has arrived. */
  stream(options: HttpStreamOptions): Promise<HttpStream>;
  /**
   * Waits for the exchanges in flight and cuts every stream with `closed`, because a stream whose
   * reader has paused would never end.
   */
  close(): Promise<void>;
}

/**
 * Opens a client of the service at an address. It connects on first use and follows no redirects.
 */
export function openHttpClient(address: HttpAddress, reach: Reach): HttpClient {
  const { timeoutMs } = reach;
  const { text: url, path: base } = address;
  const origin = originOf(address);
  const openPool = () =>
    new Pool(origin, {
      connect: createConnector(reach),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      // Drops idle connections long before an mlog service would (65 s).
      keepAliveTimeout: 4_000,
    });
  const pool = openPool();
  // Streams take connections of their own. In one pool, 150 new readers took all that were open, and
  // an append waited 300 ms until the service had accepted one more.
  const streams = openPool();
  const closing = new AbortController();

  const askedUrl = (path: string) => origin + base + path.replace(/\?.*$/, '');

  return {
    url,
    exchange: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const exchange = new Exchange(askedUrl(path), url, timeoutMs, resolve, reject);
        const all = withAuthorization(headers, reach);
        const sent = { method, path: base + path, headers: all, body: body ?? null };
        pool.dispatch(sent, exchange);
      }),
    async stream({ method, path, headers, body, silenceMaxMs = timeoutMs }) {
      try {
        closing.signal.throwIfAborted();
        const reply = await request.call(streams, {
          method,
          path: base + path,
          headers: withAuthorization(headers, reach),
          ...(body !== undefined && { body }),
          bodyTimeout: silenceMaxMs,
          signal: closing.signal,
        });
        const chunks = decode(reply.body, url);
        return { ...headOf(reply, askedUrl(path)), chunks, cancel: () => cancel(reply.body) };
      } catch (error) {
        throw toClientError(error, url);
      }
    },
    close() {
      closing.abort(new MlogError('closed', `The client of ${url} is closed.`));
      return Promise.all([pool.close(), streams.close()]).then(() => {});
    },
  };
}

/** Returns what opens a connection, each with the certificates of its time. */
function createConnector({ timeoutMs, certificates }: Reach): ReturnType<typeof buildConnector> {
  if (!certificates) return buildConnector({ timeout: timeoutMs });
  return (options, callback) =>
    buildConnector({ timeout: timeoutMs, ...certificates() })(options, callback);
}

type Response = Awaited<ReturnType<typeof request>>;

function headOf(
  { statusCode, headers }: Pick<Response, 'statusCode' | 'headers'>,
  url: string,
): Omit<HttpReply, 'text'> {
  return {
    url,
    status: statusCode,
    header(name) {
      const value = headers[name];
      return (Array.isArray(value) ? value[0] : value) ?? '';
    },
  };
}

/**
 * Receives a reply from undici and gathers it whole, within the time limit. undici's own `request`
 * makes a stream of each reply. Measured on one connection to a facade: 0.93 times its latency.
 */
class Exchange {
  readonly #asked: string;
  readonly #url: string;
  readonly #resolve: (reply: HttpReply) => void;
  readonly #reject: (error: MlogError) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #head: Omit<HttpReply, 'text'> | undefined;
  #controller: Controller | undefined;
  #isLate = false;

  constructor(
    asked: string,
    url: string,
    timeoutMs: number,
    resolve: (reply: HttpReply) => void,
    reject: (error: MlogError) => void,
  ) {
    this.#asked = asked;
    this.#url = url;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      this.#fail(noReplyError(url));
      this.#controller?.abort(noReplyError(url));
    }, timeoutMs);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // The request waited for a connection until its time was over.
    if (this.#isLate) controller.abort(noReplyError(this.#url));
  }

  onResponseStart(_: Controller, statusCode: number, headers: Response['headers']): void {
    if (statusCode >= 200) this.#head = headOf({ statusCode, headers }, this.#asked);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
    if (this.#bytes <= replyMaxBytes) return;
    controller.abort(tooLongError());
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer);
    const text = Buffer.concat(this.#chunks).toString();
    if (this.#head) this.#resolve({ ...this.#head, text });
  }

  onResponseError(_: Controller, error: Error): void {
    clearTimeout(this.#timer);
    this.#fail(toClientError(error, this.#url));
  }

  #fail(error: MlogError): void {
    // A controller exists once the request has a connection.
    this.#reject(this.#controller ? error : asUnsent(error));
  }
}

interface Controller {
  abort(reason: Error): void;
}

/** Exceeds the longest problem document. */
const failureMaxLength = 64 * 1024;

/** Reads a failed reply, up to the length that an mlog service would send. */
export async function readFailure(stream: HttpStream): Promise<HttpReply> {
  let text = '';
  for await (const chunk of stream.chunks) {
    text += chunk;
    if (text.length > failureMaxLength) break;
  }
  return { ...stream, text };
}

async function* decode(body: Response['body'], url: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const text = decoder.decode(chunk, { stream: true });
      if (text) yield text;
    }
    const rest = decoder.decode();
    if (rest) yield rest;
  } catch (error) {
    throw toClientError(error, url);
  }
}

function cancel(body: Response['body']): void {
  body.once('error', () => {}).destroy();
}
