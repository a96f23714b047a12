import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Knows what is under way on each connection; Node counts the silent ones as busy. */
export interface Connections {
  /** Notes that a request is being answered; gives the reply that goes before its own, if any. */
  enter(socket: Socket, response: ServerResponse): ServerResponse | undefined;
  /** The newest reply that is not done. */
  current(socket: Socket): ServerResponse | undefined;
  /** Ends the connections on which no request is under way. */
  cutQuiet(): void;
}

/** Watches the connections of a server from now on. */
export function watchConnections(server: Server): Connections {
  // The newest reply of each, also when it is done: to listen for its end would cost each request
  // something, and it says itself that it is done.
  const replies = new Map<Socket, ServerResponse | undefined>();
  server.on('connection', (socket) => {
    replies.set(socket, undefined);
    socket.once('close', () => replies.delete(socket));
  });
  const current = (socket: Socket) => {
    const response = replies.get(socket);
    return response?.destroyed ? undefined : response;
  };
  return {
    enter(socket, response) {
      const before = current(socket);
      replies.set(socket, response);
      return before;
    },
    current,
    cutQuiet() {
      for (const socket of replies.keys()) if (!current(socket)) socket.destroy();
    },
  };
}
