import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { admit } from '../../net/connection-limit.ts';
import type { MlogError } from '../../errors.ts';
import type { BodyRequest } from './request.ts';

/** Knows what is under way on each connection; Node counts the silent ones as busy. */
export interface Connections {
  /**
   * Notes that a request is being answered. Gives what to wait for where an earlier request of the
   * connection is not answered yet: true when it is the turn of this one, false when the connection
   * was lost meanwhile.
   */
  enter(request: BodyRequest, response: ServerResponse): Promise<boolean> | undefined;
  /** Says whether a connection is beyond the limit: probes are answered, all else is refused. */
  isExtra(socket: Socket): boolean;
  /** The newest reply that is not done. */
  current(socket: Socket): ServerResponse | undefined;
  /** Ends the connections on which no request is under way. */
  cutQuiet(): void;
  /** Gives up the bodies that have not come to their end, for this reason. */
  giveUpBodies(reason: MlogError): void;
}

/**
 * The most requests of a process that may wait behind earlier ones of their connections. What one
 * read brings may be 2,000 of them, each of about 4 kB: together they hold 40 MB at the most.
 */
const waitingMaxCount = 10_000;

let waitingCount = 0;

/**
 * So many connections beyond the limit are open at a time. The next one ends the oldest of them, so
 * that probes get an answer whoever holds the others.
 */
const extraMaxCount = 16;

/** How many connections there may be, and who is told when there are as many. */
export interface ConnectionLimit {
  readonly connectionsMax: number;
  readonly onFull: () => void;
}

/** What is known of a connection. */
interface Connection {
  /**
   * The newest reply, also when it is done: to listen for its end would cost each request something,
   * and it says itself that it is done.
   */
  newest: ServerResponse | undefined;
  /** Requests that wait for earlier ones. While there are any, nothing is read. */
  waitingCount: number;
}

function unfinished(connection: Connection | undefined): ServerResponse | undefined {
  const response = connection?.newest;
  return response?.destroyed ? undefined : response;
}

/** Watches the connections of a server from now on. */
export function watchConnections(
  server: Server,
  { connectionsMax, onFull }: ConnectionLimit,
): Connections {
  const connections = new Map<Socket, Connection>();
  const extra = new Set<Socket>();
  server.on('connection', (socket) => {
    const connection: Connection = { newest: undefined, waitingCount: 0 };
    connections.set(socket, connection);
    if (!admit(socket, connectionsMax, onFull)) {
      extra.add(socket);
      const [oldest] = extra;
      if (extra.size > extraMaxCount) oldest!.destroy();
    }
    socket.once('close', () => {
      connections.delete(socket);
      extra.delete(socket);
      waitingCount -= connection.waitingCount;
    });
    // Node resumes reading at the end of each request that it has read.
    socket.on('resume', () => {
      if (connection.waitingCount > 0) socket.pause();
    });
  });

  const current = (socket: Socket) => unfinished(connections.get(socket));

  async function waitForTurn(
    socket: Socket,
    connection: Connection,
    before: ServerResponse,
  ): Promise<boolean> {
    connection.waitingCount += 1;
    waitingCount += 1;
    socket.pause();
    if (waitingCount > waitingMaxCount) socket.destroy();
    await new Promise((resolve) => before.once('close', resolve));
    if (socket.destroyed) return false;
    connection.waitingCount -= 1;
    waitingCount -= 1;
    if (connection.waitingCount === 0) socket.resume();
    return true;
  }

  return {
    enter({ socket }, response) {
      const connection = connections.get(socket);
      // It was lost before its request was taken up.
      if (!connection) return Promise.resolve(false);
      const before = unfinished(connection);
      connection.newest = response;
      return before && waitForTurn(socket, connection, before);
    },
    isExtra: (socket) => extra.size > 0 && extra.has(socket),
    current,
    cutQuiet() {
      for (const socket of connections.keys()) if (!current(socket)) socket.destroy();
    },
    giveUpBodies(reason) {
      for (const socket of connections.keys()) {
        const request = current(socket)?.req as BodyRequest | undefined;
        if (request && !request.complete) request.giveUp(reason);
      }
    },
  };
}
