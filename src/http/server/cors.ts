import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from './reply.ts';

/** What a page of an allowed origin may read of a reply besides its body and type. */
const exposedHeaders = [
  'Idempotent-Replayed',
  'Mlog-Journal',
  'Mlog-Last-Seq',
  'Mlog-Replica-Lag',
  'Retry-After',
].join(', ');

/** What a page of an allowed origin may send. */
const requestHeaders = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Last-Event-ID',
].join(', ');

/** How long a browser may remember the reply to a preflight. */
const preflightMaxAgeSeconds = 600;

/** Lets pages of some origins read replies (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export interface Cors {
  /** Adds to a reply what its browser needs to know. */
  addHeaders(request: IncomingMessage, response: ServerResponse): void;
  /** Answers the question that a browser asks before it sends a request; undefined for any other. */
  preflight(request: IncomingMessage): Reply | undefined;
}

/** Returns undefined if no origin is allowed: then no reply has a header of CORS. */
export function createCors(origins: ReadonlySet<string>): Cors | undefined {
  if (origins.size === 0) return undefined;

  return {
    addHeaders({ headers: { origin } }, response) {
      // A cache must not give the reply for one origin to another.
      response.setHeader('Vary', 'Origin');
      if (origin === undefined || !origins.has(origin)) return;
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Expose-Headers', exposedHeaders);
    },
    preflight({ method, headers }) {
      const asked = headers['access-control-request-method'];
      if (method !== 'OPTIONS' || asked === undefined || !origins.has(headers.origin ?? '')) {
        return undefined;
      }
      return {
        status: 200,
        headers: {
          'Access-Control-Allow-Methods': 'GET, HEAD, POST',
          'Access-Control-Allow-Headers': requestHeaders,
          'Access-Control-Max-Age': String(preflightMaxAgeSeconds),
        },
      };
    },
  };
}
