import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const backlogMaxBytes = 1_048_576;

/** What a proxy does to the traffic. Each member may change at any time. */
export type Faults = {
  /** Delays every piece by this much, in both directions, in order. */
  delayMs: number;
  /**
   * Called when the first bytes after a request arrive from the target. True drops them and closes
   * the connection: the target has done its work, and the client never learns it.
   */
  dropReply: () => boolean;
  /**
   * Called when the first bytes after a request arrive from the target. This many bytes of the
   * reply pass; then the connection ends, as when the target is killed.
   */
  replyMaxBytes: () => number;
  /** Whether to cut a reply after a line, where it looks most complete. */
  cutsBehindLine: boolean;
  /** Called for each connection. True resets it before the target learns of it. */
  resetConnection: () => boolean;
  /**
   * Called when the first bytes of a connection, or after a reply, arrive from the client. True
   * resets the connection with everything in flight on it, and the target never learns of them.
   */
  resetRequest: () => boolean;
  /** While true, bytes in both directions are held back, and none is lost. */
  paused: boolean;
};

/** A running proxy. Closing it cuts every connection. */
export type Proxy = { url: string; faults: Faults; close: () => Promise<void> };

/** Starts a TCP proxy towards the host and port of the URL, with a URL of the same scheme. */
export const startProxy = async (
  targetUrl: string,
  options: Partial<Faults> = {},
): Promise<Proxy> => {
  const { protocol, hostname, port } = new URL(targetUrl);
  const { faults, passing } = createFaults(options);
  const sockets = new Set<Socket>();

  const track = (socket: Socket, peer: Socket): void => {
    sockets.add(socket);
    socket.once('error', () => peer.resetAndDestroy());
    socket.once('close', () => sockets.delete(socket));
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (faults.resetConnection()) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({
      host: hostname,
      port: Number(port),
      allowHalfOpen: true,
      noDelay: true,
    });
    track(client, target);
    track(target, client);

    let requested = false;
    let replyLeftBytes = Infinity;
    forward(client, target, passing, (piece) => {
      if (requested) return piece;
      requested = true;
      if (!faults.resetRequest()) return piece;
      client.resetAndDestroy();
      target.resetAndDestroy();
      return piece;
    });
    forward(target, client, passing, (piece) => {
      if (requested) {
        requested = false;
        replyLeftBytes = faults.replyMaxBytes();
        if (faults.dropReply()) {
          client.destroy();
          target.destroy();
        }
      }
      const passed = piece.subarray(0, replyLeftBytes);
      replyLeftBytes -= piece.length;
      const isCut = passed.length < piece.length;
      return isCut && faults.cutsBehindLine ? wholeLinesOf(passed) : passed;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
};

const wholeLinesOf = (piece: Buffer): Buffer => piece.subarray(0, piece.lastIndexOf('\n') + 1);

/** Resolves when a piece that arrived at `arrivedAt` may pass. */
type Passing = (arrivedAt: number) => Promise<void>;

const createFaults = (options: Partial<Faults>): { faults: Faults; passing: Passing } => {
  const changes = new EventEmitter().setMaxListeners(0);
  let paused = options.paused ?? false;
  const faults: Faults = {
    delayMs: options.delayMs ?? 0,
    dropReply: options.dropReply ?? (() => false),
    replyMaxBytes: options.replyMaxBytes ?? (() => Infinity),
    cutsBehindLine: options.cutsBehindLine ?? false,
    resetConnection: options.resetConnection ?? (() => false),
    resetRequest: options.resetRequest ?? (() => false),
    get paused() {
      return paused;
    },
    set paused(value) {
      paused = value;
      changes.emit('paused');
    },
  };
  const passing: Passing = async (arrivedAt) => {
    const waitMs = arrivedAt + faults.delayMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
    while (paused) await once(changes, 'paused');
  };
  return { faults, passing };
};

/**
 * Passes on the bytes and the end of the stream, in order. Pieces wait side by side, so that a
 * delay is a latency and not a limit of throughput. Beyond the backlog, the source is not read.
 * `onArrival` returns how much of a piece may pass; after less than all of it, both connections
 * end.
 */
const forward = (
  from: Socket,
  to: Socket,
  passing: Passing,
  onArrival: (piece: Buffer) => Buffer,
): void => {
  let queue = Promise.resolve();
  let backlogBytes = 0;

  const enqueue = (pass: () => void | Promise<void>): void => {
    const arrivedAt = performance.now();
    queue = queue.then(async () => {
      await passing(arrivedAt);
      if (!to.destroyed) await pass();
    });
  };

  from.on('data', (piece: Buffer) => {
    const passed = onArrival(piece);
    if (passed.length < piece.length) {
      enqueue(() => void to.end(passed));
      from.destroy();
      return;
    }
    backlogBytes += piece.length;
    if (backlogBytes > backlogMaxBytes) from.pause();
    enqueue(async () => {
      if (!to.write(piece)) await roomIn(to);
      backlogBytes -= piece.length;
      if (backlogBytes <= backlogMaxBytes) from.resume();
    });
  });
  from.once('end', () => enqueue(() => void to.end()));
};

const roomIn = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
