import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const backlogMaxBytes = 1_048_576;

/** What a proxy does to the traffic; each member may be set anew at any time. */
export type Faults = {
  /** Every piece arrives this much later, in both directions; order is kept. */
  delayMs: number;
  /**
   * Asked when the first bytes after a request come from the target. True loses them and closes
   * the connection: the target has done its work, and the client will never know.
   */
  dropReply: () => boolean;
  /**
   * Asked when the first bytes after a request come from the target. Of the reply so many bytes get
   * through; then the connection ends, as when the target is killed.
   */
  replyMaxBytes: () => number;
  /** Whether a reply is cut behind a line, where it looks most like a whole one. */
  cutsBehindLine: boolean;
  /** Asked on each connection; true resets it before the target hears of it. */
  resetConnection: () => boolean;
  /**
   * Asked when the first bytes of a connection, or after a reply, come from the client. True resets
   * the connection, with all that is under way on it, and the target never hears of them.
   */
  resetRequest: () => boolean;
  /** While true, bytes of both directions are held, and none is lost. */
  paused: boolean;
};

/** A running proxy; closing it cuts every connection. */
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

/** Resolves when a piece that came at `arrivedAt` may go on. */
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
 * Passes bytes and the end of the stream on, in order. Pieces wait side by side, so that a delay
 * is a latency and not a limit of throughput; past the backlog the source is not read. `onArrival`
 * gives what of a piece may pass; behind less than all of it, both connections end.
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
