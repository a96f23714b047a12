import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { admit, isExtra, keepExtra } from '../../net/connection-limit.ts';
import { watchSockets } from '../../net/sockets.ts';
import type { MlogError } from '../../errors.ts';
import type { BodyRequest } from './request.ts';

/** Tracks what is in flight on each connection. Node itself counts silent connections as busy. */
export interface Connections {
  /**
   * Notes that a request is being answered. If an earlier request of the connection is unanswered,
   * it returns a promise to wait for: true when it is this request's turn, false if the connection
   * was lost.
   */
  enter(request: BodyRequest, response: ServerResponse): Promise<boolean> | undefined;
  /** Says whether a connection can carry data, and is not lost. */
  isOpen(socket: Socket): boolean;
  /** Says whether a connection is beyond the limit, so that only probes are answered on it. */
  isExtra(socket: Socket): boolean;
  /** Returns the newest unfinished reply. */
  current(socket: Socket): ServerResponse | undefined;
  /** Closes the connections without a request in flight. */
  cutQuiet(): void;
  /** Gives up the bodies that have not arrived completely, for this reason. */
  giveUpBodies(reason: MlogError): void;
}

/**
 * The most requests of a process that may wait behind earlier ones of their connections. One read
 * may bring 2,000 of them, of about 4 kB each. Together they hold at most 40 MB.
 */
const waitingMaxCount = 10_000;

let waitingCount = 0;

/** How many connections there may be, and who hears when the limit is reached. */
export interface ConnectionLimit {
  readonly isSecure: boolean;
  readonly connectionsMax: number;
  readonly onFull: () => void;
}

/** The state of a connection. */
interface Connection {
  /**
   * The newest reply, finished or not. It tells by itself that it is finished, and listening for
   * that would cost every request.
   */
  newest: ServerResponse | undefined;
  /** Requests that wait for earlier ones. Nothing is read while there are any. */
  waitingCount: number;
  readonly isExtra: boolean;
}

function unfinished(connection: Connection | undefined): ServerResponse | undefined {
  const response = connection?.newest;
  return response?.destroyed ? undefined : response;
}

/** Tracks the connections of a server from now on. */
export function watchConnections(
  server: Server,
  { isSecure, connectionsMax, onFull }: ConnectionLimit,
): Connections {
  const connections = new Map<Socket, Connection>();

  /** Counts a connection, which may still be in its handshake. */
  function onAccept(raw: Socket): void {
    if (!admit(raw, connectionsMax, onFull)) keepExtra(raw);
  }

  function onOpen(socket: Socket, raw: Socket): void {
    const connection: Connection = {
      newest: undefined,
      waitingCount: 0,
      isExtra: isExtra(raw),
    };
    connections.set(socket, connection);
    socket.once('close', () => {
      connections.delete(socket);
      waitingCount -= connection.waitingCount;
    });
    // Node resumes the socket at the end of each request.
    socket.on('resume', () => {
      if (connection.waitingCount > 0) socket.pause();
    });
  }

  const cutHandshakes = watchSockets(server, isSecure, { onAccept, onOpen });
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
      // The connection was lost before its request was taken up.
      if (!connection) return Promise.resolve(false);
      const before = unfinished(connection);
      connection.newest = response;
      return before && waitForTurn(socket, connection, before);
    },
    isOpen: (socket) => connections.has(socket),
    isExtra: (socket) => connections.get(socket)?.isExtra ?? false,
    current,
    cutQuiet() {
      cutHandshakes();
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
