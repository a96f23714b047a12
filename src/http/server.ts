import { once } from 'node:events';
import { createServer, STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hasErrno, MlogError, toMlogError } from '../errors.ts';
import { listen } from '../listen.ts';
import type { Logger } from '../observe/logger.ts';
import { watchConnections, type Connections } from './connections.ts';
import { mediaTypes } from './formats.ts';
import { toProblem } from './problem.ts';
import { BodyRequest } from './request.ts';
import { writeRefusal, writeReply, type ReaderLimits, type Reply } from './reply.ts';

/** A request as a handler sees it. */
export interface Request {
  /** Node's own request, for the headers and the body. */
  readonly raw: BodyRequest;
  /** What stands behind the question mark of the target. */
  readonly search: string;
  /** Aborted when the server stops: what has no end of its own ends then. */
  readonly stopping: AbortSignal;
}

/** Answers a request, or throws an `MlogError`, which the server turns into a problem document. */
export type Handler = (request: Request) => Promise<Reply> | Reply;

/** What one path answers, by method. HEAD comes with GET. */
export interface Route {
  readonly GET?: Handler;
  readonly POST?: Handler;
  /** Answers all other methods where the reference has its own words for them. */
  readonly otherwise?: Handler;
}

/** The HTTP surface of a role: a route by path. */
export type Routes = Readonly<Record<string, Route>>;

/** How clients are held in bounds. */
export interface ServerLimits extends ReaderLimits {
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
}

/** Where and what to serve. */
export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly routes: Routes;
  readonly limits: ServerLimits;
  readonly logger: Logger;
}

/** A server that listens. */
export interface Server {
  readonly url: string;
  /** Stops accepting, waits for the requests under way, and closes every connection. */
  close(): Promise<void>;
}

/** Starts an HTTP server. Throws `failed_precondition` where the address cannot be used. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host, port, limits, logger } = options;
  const routes = new Map(Object.entries(options.routes));
  const tellsRequests = logger.isLevelEnabled('debug');
  const stop = new AbortController();

  const server = createServer(
    {
      IncomingMessage: BodyRequest,
      maxHeaderSize: 16 * 1024,
      headersTimeout: limits.headersTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      // Bodies have deadlines of their own, for a bulk body may rightly take longer than a form.
      requestTimeout: 0,
      // A request without a host is refused in the words of all other refusals.
      requireHostHeader: false,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      if (stop.signal.aborted) response.setHeader('Connection', 'close');
      void answer(request, response);
    },
  );
  // Counted in `route`: this would drop what is too much without a word.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connectionsMax;
  server.on('checkExpectation', (request, response) => {
    const { expect } = request.headers;
    writeError(request, response, new MlogError('unmet_expectation', `Expected: ${expect}.`));
  });
  const connections = watchConnections(server);
  server.on('clientError', (error, socket) =>
    refuseMalformed(error, socket as Socket, connections),
  );

  async function answer(request: BodyRequest, response: ServerResponse): Promise<void> {
    try {
      // One request a connection at a time: the replies to others would wait in memory.
      const before = connections.enter(request.socket, response);
      if (before) await once(before, 'close');
      const writing = writeReply(response, await route(routes, request, stop.signal), limits);
      if (writing) await writing;
      const { method, url } = request;
      const { statusCode: status } = response;
      if (status >= 500) logger.warn({ method, url, status }, 'Request failed');
      else if (tellsRequests) logger.debug({ method, url, status }, 'Request');
    } catch (error) {
      writeError(request, response, error);
    }
  }

  function writeError(request: BodyRequest, response: ServerResponse, thrown: unknown): void {
    const error = toMlogError(thrown);
    const { code, message, cause } = error;
    const facts = { method: request.method, url: request.url, code };
    // A fault of mlog itself is told with its stack, what a client did with its reason.
    if (code === 'internal') logger.error({ ...facts, err: cause }, 'Request failed');
    else logger.warn({ ...facts, reason: message }, 'Request failed');
    if (response.headersSent) {
      // Half a body is out: only a broken connection tells the client that it is not whole.
      response.destroy();
      return;
    }
    void writeRefusal(response, toErrorReply(error));
  }

  const address = await listen(server, host, port);

  return {
    url: `http://${address}`,
    async close() {
      stop.abort();
      const closed = once(server, 'close');
      server.close();
      // A connection that was busy at that moment turns idle later; then it goes as well.
      const sweeping = setInterval(() => server.closeIdleConnections(), 20);
      const cutting = setTimeout(() => connections.cutQuiet(), quietGraceMs);
      await closed;
      clearInterval(sweeping);
      clearTimeout(cutting);
    },
  };
}

const headersMaxCount = 100;

/** What a stopping server waits for the rest of a request whose head is not complete. */
const quietGraceMs = 500;

function route(
  routes: ReadonlyMap<string, Route>,
  raw: BodyRequest,
  stopping: AbortSignal,
): Promise<Reply> | Reply {
  if (raw.rawHeaders.length > 2 * headersMaxCount) {
    throw new MlogError('headers_too_large', `There are more than ${headersMaxCount} headers.`);
  }
  if (raw.headers.host === undefined && raw.httpVersion !== '1.0') {
    throw new MlogError('invalid_argument', 'The request has no Host header.');
  }
  const target = originForm(raw.url ?? '/');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const found = routes.get(path);
  if (!found) throw new MlogError('not_found', `There is nothing at ${path}.`);
  const method = raw.method === 'HEAD' ? 'GET' : raw.method;
  const handler = method === 'GET' || method === 'POST' ? found[method] : undefined;
  const request = { raw, search: mark < 0 ? '' : target.slice(mark + 1), stopping };
  if (handler) return handler(request);
  if (found.otherwise) return found.otherwise(request);
  throw new MlogError('method_not_allowed', `${raw.method} is not for ${path}.`, {
    hint: `It takes ${allowedMethods(found)}.`,
    details: { allow: allowedMethods(found) },
  });
}

/** The path and query of a target, which may be a whole URL (RFC 9112, section 3.2.2). */
function originForm(target: string): string {
  if (target.startsWith('/') || !URL.canParse(target)) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

function allowedMethods({ GET, POST }: Route): string {
  return [GET && 'GET, HEAD', POST && 'POST'].filter(Boolean).join(', ');
}

function toErrorReply(error: MlogError): Reply & { readonly body: string } {
  const headers: Record<string, string> = {};
  if (error.code === 'method_not_allowed') headers['Allow'] = String(error.details['allow']);
  if (error.code === 'overloaded') headers['Retry-After'] = '1';
  return { status: error.httpStatus, type: mediaTypes.problem, headers, body: toProblem(error) };
}

/** Answers what the HTTP parser refuses; there is no request object for it. */
function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Connections,
): void {
  const response = connections.current(socket);
  // Behind a whole request comes something that is none: the reply to the request goes first.
  if (response?.req.complete) return void response.once('finish', () => socket.destroySoon());
  // Part of a body of lines may be stored already, so it cannot be refused any more.
  const isPartly =
    response?.headersSent || response?.req.headers['content-type']?.includes('ndjson');
  if (isPartly || !socket.writable) return void socket.destroy();
  const refusal = hasErrno(error, 'HPE_HEADER_OVERFLOW')
    ? new MlogError('headers_too_large', 'The headers are larger than 16 KiB.')
    : hasErrno(error, 'ERR_HTTP_REQUEST_TIMEOUT')
      ? new MlogError('request_timeout', 'The request did not come in time.')
      : new MlogError('invalid_argument', 'This is not HTTP.');
  const { httpStatus } = refusal;
  const body = toProblem(refusal);
  socket.end(
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}\r\nConnection: close\r\n` +
      `Content-Type: ${mediaTypes.problem}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
