import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { ServerCertificates } from '../../security/certificates.ts';
import { BodyRequest } from './request.ts';

/** The time limits of a listener, and its certificates, if it uses TLS. */
export interface ListenerOptions {
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly certificates?: ServerCertificates | undefined;
}

/** Returns Node's server for HTTP, over TLS if there are certificates. */
export function createListener(
  { headersTimeoutMs, keepAliveTimeoutMs, certificates }: ListenerOptions,
  onRequest: RequestListener<typeof BodyRequest>,
): Server {
  const options: ServerOptions<typeof BodyRequest> = {
    IncomingMessage: BodyRequest,
    maxHeaderSize: 16 * 1024,
    headersTimeout: headersTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    // Bodies have time limits of their own, because a bulk body may take longer than a form.
    requestTimeout: 0,
    // A guard refuses a request without a host, with a problem document like every refusal.
    requireHostHeader: false,
    connectionsCheckingInterval: 1_000,
  };
  const server = certificates
    ? createSecureListener(certificates, headersTimeoutMs, options, onRequest)
    : createServer(options, onRequest);
  // A guard counts the headers. With a limit here, Node would silently drop the rest.
  server.maxHeadersCount = 0;
  return server;
}

function createSecureListener(
  certificates: ServerCertificates,
  handshakeTimeout: number,
  options: ServerOptions<typeof BodyRequest>,
  onRequest: RequestListener<typeof BodyRequest>,
): Server {
  const all = { ...options, ...certificates.serverOptions(), handshakeTimeout };
  const server = createSecureServer(all, onRequest);
  certificates.keepCurrent(server);
  return server;
}
