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
  const replies = new Map<Socket, ServerResponse | undefined>();
  server.on('connection', (socket) => {
    replies.set(socket, undefined);
    socket.once('close', () => replies.delete(socket));
  });
  return {
    enter(socket, response) {
      const before = replies.get(socket);
      replies.set(socket, response);
      response.once('close', () => {
        if (replies.get(socket) === response) replies.set(socket, undefined);
      });
      return before;
    },
    current: (socket) => replies.get(socket),
    cutQuiet() {
      for (const [socket, response] of replies) if (!response) socket.destroy();
    },
  };
}
