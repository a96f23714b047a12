import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { fullText } from '../../net/connection-limit.ts';
import { MlogError, toMlogError, type Code } from '../../errors.ts';
import { listen } from '../../net/listen.ts';
import type { Logger } from '../../observe/logger.ts';
import { watchConnections } from './connections.ts';
import { refuseMalformed, toErrorReply } from './refusal.ts';
import { createAccess, type Access, type AccessOptions } from '../../security/access.ts';
import { createCors } from './cors.ts';
import { createGuards, mayAsk } from './guards.ts';
import { createListener, type ListenerOptions } from './listener.ts';
import { BodyRequest } from './request.ts';
import type { Reply } from './reply.ts';
import { writeRefusal, writeReply } from './reply-writer.ts';
import type { ReaderLimits } from './stall.ts';

/** A request as a handler sees it. */
export interface Request {
  /** Node's own request, for its headers and body. */
  readonly raw: BodyRequest;
  /** The query: what follows the question mark of the target. */
  readonly search: string;
  /** Aborted when the server stops, which ends replies that have no end of their own. */
  readonly stopping: AbortSignal;
  /** The request has no token, although the service has some: only probes are answered. */
  readonly isAnonymous: boolean;
}

/** Answers a request, or throws an `MlogError`, which the server writes as a problem document. */
export type Handler = (request: Request) => Promise<Reply> | Reply;

/** What one path answers, by method. GET includes HEAD. */
export interface Route {
  readonly GET?: Handler;
  readonly POST?: Handler;
  /** Answers all other methods, if the reference has words of its own for them. */
  readonly otherwise?: Handler;
  /** Answered even when all connections are taken. */
  readonly isProbe?: boolean;
}

/** The HTTP surface of a role: a route for each path. */
export type Routes = Readonly<Record<string, Route>>;

/** Who may ask, and the bounds on clients. */
export interface ServerLimits extends ReaderLimits, AccessOptions, ListenerOptions {
  readonly connectionsMax: number;
  readonly shutdownTimeoutMs: number;
}

/** Where to listen and what to serve. */
export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly routes: Routes;
  readonly limits: ServerLimits;
  readonly logger: Logger;
  /** Errors that are in the diagnostics already when a handler throws them. */
  readonly reportedCodes?: readonly Code[];
}

/** A server that listens. */
export interface Server {
  readonly url: string;
  /** Stops accepting, waits for the requests in flight, and closes every connection. */
  close(): Promise<void>;
}

/** Starts an HTTP server. Throws `failed_precondition` if the address cannot be used. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host, port, limits, logger, reportedCodes = [] } = options;
  const routes = new Map(Object.entries(options.routes));
  const tellsRequests = logger.isLevelEnabled('debug');
  const stop = new AbortController();
  const access = createAccess(host, limits);
  const guards = createGuards(access);
  const cors = createCors(access.origins);

  const server = createListener(limits, (request, response) => {
    const isLast = stop.signal.aborted || connections.isExtra(request.socket);
    if (isLast) response.setHeader('Connection', 'close');
    void answer(request, response);
  });
  server.on('checkExpectation', (request: BodyRequest, response) => {
    const { expect } = request.headers;
    const what = `The expectation ${expect} cannot be met.`;
    writeError(request, response, new MlogError('unmet_expectation', what));
  });
  const { connectionsMax } = limits;
  const isSecure = limits.certificates !== undefined;
  const onFull = () => logger.warn(fullText(connectionsMax));
  const connections = watchConnections(server, { isSecure, connectionsMax, onFull });
  server.on('clientError', (error, socket) => {
    if (connections.isOpen(socket as Socket))
      return refuseMalformed(error, socket as Socket, connections);
    logger.debug({ reason: error.message }, 'TLS handshake failed');
    socket.destroy();
  });

  async function answer(request: BodyRequest, response: ServerResponse): Promise<void> {
    try {
      // One request per connection at a time: replies to further ones would wait in memory.
      const turn = connections.enter(request, response);
      if (turn && !(await turn)) return;
      cors?.addHeaders(request, response);
      for (const guard of guards) guard(request);
      const isExtra = connections.isExtra(request.socket);
      const reply =
        cors?.preflight(request) ??
        (await route(routes, request, { stopping: stop.signal, isExtra, access }));
      const writing = writeReply(response, reply, limits);
      if (writing) await writing;
      const { method, url } = request;
      const { status, reason } = reply;
      if (status >= 500) logger.warn({ method, url, status, reason }, 'Request failed');
      else if (tellsRequests) logger.debug({ method, url, status }, 'Request');
    } catch (error) {
      writeError(request, response, error);
    }
  }

  function writeError(request: BodyRequest, response: ServerResponse, thrown: unknown): void {
    const error = toMlogError(thrown);
    const { code, message, cause, httpStatus: status, details } = error;
    const { method, url } = request;
    const facts = {
      method,
      url,
      status,
      code,
      ...(details['id'] !== undefined && { id: details['id'] }),
    };
    // A bug in mlog is logged with its stack, a client's fault with its reason. That all
    // connections are taken was logged when it happened.
    if (code === 'internal') logger.error({ ...facts, err: cause }, 'Request failed');
    else if (thrown === fullError || reportedCodes.includes(code))
      logger.debug({ ...facts, reason: message }, 'Request failed');
    else logger.warn({ ...facts, reason: message }, 'Request failed');
    if (response.headersSent) {
      // Part of the body is out. Only a broken connection tells the client that it is incomplete.
      response.destroy();
      return;
    }
    // A stopping service does not wait long for a client that keeps sending.
    void writeRefusal(response, toErrorReply(error), stop.signal.aborted ? 500 : 2_000);
  }

  const address = await listen(server, host, port);

  return {
    url: `${isSecure ? 'https' : 'http'}://${address}`,
    async close() {
      stop.abort();
      const closed = once(server, 'close');
      server.close();
      // A connection that is busy now becomes idle later, and is closed then.
      const bodiesLateAtMs = performance.now() + limits.shutdownTimeoutMs / bodyGraces;
      const sweeping = setInterval(() => {
        server.closeIdleConnections();
        if (performance.now() > bodiesLateAtMs) connections.giveUpBodies(stoppingError());
      }, 20);
      const cutting = setTimeout(() => connections.cutQuiet(), quietGraceMs);
      await closed;
      clearInterval(sweeping);
      clearTimeout(cutting);
    },
  };
}

/** How long a stopping server waits for the rest of an incomplete head. */
const quietGraceMs = 500;

/**
 * A stopping server waits for the rest of a body for this fraction of the shutdown time, because a
 * process may stop three servers one after the other.
 */
const bodyGraces = 5;

function stoppingError(): MlogError {
  return new MlogError('unavailable', 'The service is stopping, and the request was incomplete.', {
    hint: 'Nothing of it was stored. Send it again in a moment.',
  });
}

/** What a request meets besides the routes. */
interface Arrival {
  readonly stopping: AbortSignal;
  readonly isExtra: boolean;
  readonly access: Access;
}

function route(
  routes: ReadonlyMap<string, Route>,
  raw: BodyRequest,
  { stopping, isExtra, access }: Arrival,
): Promise<Reply> | Reply {
  const target = originForm(raw.url ?? '/');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const match = routes.get(path);
  const isAnonymous = !mayAsk(raw, access, match?.isProbe ?? false);
  if (!match) throw new MlogError('not_found', `There is nothing at ${path}.`);
  if (isExtra && !match.isProbe) throw fullError;
  const method = raw.method === 'HEAD' ? 'GET' : raw.method;
  const handler = method === 'GET' || method === 'POST' ? match[method] : undefined;
  const request = { raw, search: mark < 0 ? '' : target.slice(mark + 1), stopping, isAnonymous };
  if (handler) return handler(request);
  if (match.otherwise) return match.otherwise(request);
  const allow = allowedMethods(match);
  throw new MlogError('method_not_allowed', `${raw.method} is not allowed at ${path}.`, {
    hint: `Use ${allow}.`,
    details: { allow },
    headers: { Allow: allow },
  });
}

const fullError = new MlogError('overloaded', 'All connections of the service are taken.', {
  hint: 'The request was not read. Send it again in a moment.',
});

/** Returns the path and query of a target, which may be a whole URL (RFC 9112, section 3.2.2). */
function originForm(target: string): string {
  if (target.startsWith('/') || !URL.canParse(target)) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

function allowedMethods({ GET, POST }: Route): string {
  return [GET && 'GET, HEAD', POST && 'POST'].filter(Boolean).join(', ');
}
