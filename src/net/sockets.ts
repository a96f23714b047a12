import type { Server, Socket } from 'node:net';

/** Hears of the connections of a server. */
export interface SocketWatcher {
  /** A connection was accepted. Over TLS, this is the raw one that carries the other. */
  readonly onAccept: (raw: Socket) => void;
  /** A connection can carry data: over TLS, the secure one after its handshake. */
  readonly onOpen: (socket: Socket, raw: Socket) => void;
}

/**
 * Tells a watcher of the connections of a server. Returns a function that destroys those that are
 * still in their handshake.
 */
export function watchSockets(
  server: Server,
  isSecure: boolean,
  { onAccept, onOpen }: SocketWatcher,
): () => void {
  if (!isSecure) {
    server.on('connection', (socket) => {
      onAccept(socket);
      onOpen(socket, socket);
    });
    return () => {};
  }
  // Node does not tell which raw connection a secure one uses, so both are told apart by their ends.
  const shaking = new Map<string, Socket>();
  server.on('connection', (raw) => {
    const ends = endsOf(raw);
    shaking.set(ends, raw);
    raw.once('close', () => {
      if (shaking.get(ends) === raw) shaking.delete(ends);
    });
    onAccept(raw);
  });
  server.on('secureConnection', (socket: Socket) => {
    const ends = endsOf(socket);
    const raw = shaking.get(ends);
    shaking.delete(ends);
    // It was lost in the meantime.
    if (raw) onOpen(socket, raw);
    else socket.destroy();
  });
  return () => {
    for (const raw of shaking.values()) raw.destroy();
  };
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
