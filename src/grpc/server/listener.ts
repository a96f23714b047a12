import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { admit } from '../../net/connection-limit.ts';
import { listen } from '../../net/listen.ts';

/** Where to listen for gRPC. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly connectionsMax: number;
  /** Told when there are as many. */
  readonly onFull: () => void;
}

/** What serves the connections of a listener. */
export interface ConnectionServer {
  /** Takes over a connection. */
  serve(socket: Socket): void;
  /** Ends what has no end, and lets the calls under way come to theirs; resolves after the last. */
  stop(): Promise<void>;
}

/**
 * Listens for gRPC. What serves it is loaded with the first connection, since it takes 40 ms and
 * 13 MiB that many a service never needs. Throws `failed_precondition` where the address cannot be
 * used. A listener of our own also bounds the connections.
 */
export async function startGrpcListener(
  { host, port, connectionsMax, onFull }: ListenerOptions,
  load: () => Promise<ConnectionServer>,
) {
  const sockets = new Set<Socket>();
  let server: Promise<ConnectionServer> | undefined;
  const listener = createServer({ noDelay: true }, (socket) => {
    if (!admit(socket, connectionsMax, onFull)) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // It may break off before anybody serves it.
    socket.on('error', () => {});
    server ??= load();
    void server.then((serving) => serving.serve(socket));
  });
  const address = await listen(listener, host, port);

  return {
    url: `grpc://${address}`,
    /** Stops accepting, ends what has no end, waits for the calls under way, and closes. */
    async close(): Promise<void> {
      const closed = once(listener, 'close');
      listener.close();
      const hangingUp = setInterval(() => hangUp(sockets), hangUpMs);
      await server?.then((serving) => serving.stop());
      const lingering = setTimeout(() => destroyAll(sockets), lingerMs);
      await closed;
      clearTimeout(lingering);
      clearInterval(hangingUp);
    },
  };
}

/** How often a stopping listener looks for connections on which there is nothing more to say. */
const hangUpMs = 500;

/** Closes the connections of clients that have been told all, and do not hang up themselves. */
function hangUp(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) if (socket.writableFinished) socket.destroy();
}

/** After the last call, so long may a client take to read what it was told, and to hang up. */
const lingerMs = 1_000;

function destroyAll(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}
