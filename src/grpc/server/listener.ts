import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { admit } from '../../net/connection-limit.ts';
import { listen } from '../../net/listen.ts';
import { watchSockets } from '../../net/sockets.ts';
import type { ServerCertificates } from '../../security/certificates.ts';

/** Where to listen for gRPC. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly connectionsMax: number;
  /** How long a TLS handshake may take. */
  readonly headersTimeoutMs: number;
  readonly certificates?: ServerCertificates | undefined;
  /** Called when the limit of connections is reached. */
  readonly onFull: () => void;
}

/** What serves the connections of a listener. */
export interface ConnectionServer {
  /** Takes over a connection. */
  serve(socket: Socket): void;
  /** Ends what has no end and waits for the calls in flight. */
  stop(): Promise<void>;
}

/**
 * Listens for gRPC. The code that serves it is loaded with the first connection, because it takes
 * 40 ms and 13 MiB that many services never need. The listener is ours, so that it can bound the
 * connections. Throws `failed_precondition` if the address cannot be used.
 */
export async function startGrpcListener(
  { host, port, connectionsMax, onFull, headersTimeoutMs, certificates }: ListenerOptions,
  load: () => Promise<ConnectionServer>,
) {
  const sockets = new Set<Socket>();
  let server: Promise<ConnectionServer> | undefined;
  const listener = createListener(certificates, headersTimeoutMs);
  const cutHandshakes = watchSockets(listener, certificates !== undefined, {
    onAccept(raw) {
      if (!admit(raw, connectionsMax, onFull)) raw.destroy();
    },
    onOpen(socket) {
      if (socket.destroyed) return;
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      // The connection may break before anything serves it.
      socket.on('error', () => {});
      server ??= load();
      void server.then((serving) => serving.serve(socket));
    },
  });
  const address = await listen(listener, host, port);

  return {
    url: `${certificates ? 'grpcs' : 'grpc'}://${address}`,
    /** Stops accepting, ends what has no end, waits for the calls in flight, and closes. */
    async close(): Promise<void> {
      const closed = once(listener, 'close');
      listener.close();
      cutHandshakes();
      const hangingUp = setInterval(() => hangUp(sockets), hangUpMs);
      await server?.then((serving) => serving.stop());
      const lingering = setTimeout(() => destroyAll(sockets), lingerMs);
      await closed;
      clearTimeout(lingering);
      clearInterval(hangingUp);
    },
  };
}

function createListener(
  certificates: ServerCertificates | undefined,
  handshakeTimeout: number,
): Server {
  if (!certificates) return createServer({ noDelay: true });
  const own = { handshakeTimeout, noDelay: true, ALPNProtocols: ['h2'] };
  const listener = createSecureServer({ ...certificates.serverOptions(), ...own });
  listener.on('tlsClientError', (_, socket) => socket.destroy());
  certificates.keepCurrent(listener);
  return listener;
}

/** How often a stopping listener looks for finished connections. */
const hangUpMs = 500;

/** Closes the connections of clients that have received everything and do not hang up. */
function hangUp(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) if (socket.writableFinished) socket.destroy();
}

/** How long a client may take, after its last call, to read its reply and hang up. */
const lingerMs = 1_000;

function destroyAll(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}
