import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

// Clients that read nothing, send nothing, or never finish. They run in a thread of their own, so
// that their work does not count as that of the services; see `bounded-memory.ts`.

/** The services to abuse, and the number of clients of each kind. */
export type Abuse = {
  facade: string;
  logging: string;
  /** Half of them stay silent; half send one request and keep the connection. */
  idle: number;
  /** Half of them read one piece per second, half write one byte per second. */
  slow: number;
  /** Half of them follow the facade, half the logging service, and read nothing. */
  stalled: number;
  /**
   * Half of them post an endless form to the facade, half an endless line; half of each in large
   * chunks, half in chunks of one byte.
   */
  endless: number;
  /** They pipeline requests behind an endless stream of events. */
  pipelining: number;
  /** Each holds a large, unfinished body; half of them a form, half a line. */
  unfinished: number;
  /** They read everything repeatedly, alternating between the reference's list and NDJSON. */
  lists: number;
  /**
   * A stalled follower must be disconnected within this time from its request. Before it counts as
   * stalled, the buffers of the system must fill, some megabytes each.
   */
  cutMaxMs: number;
};

/** What the clients saw. */
export type Abused = {
  /** Bytes sent in endless bodies. */
  endlessBytes: number;
  /** Lists that were read to the end. */
  listed: number;
  /** Lists that ended early. */
  brokenLists: number;
  /** Stalled followers that were disconnected in time, and those that were not. */
  cut: number;
  notCut: number;
};

const lookEveryMs = 300;
const reopenMs = 100;
const slowMs = 1000;
const endlessEveryMs = 20;
const largeChunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
/** Each chunk arrives as a piece of its own. */
const tinyChunks = '1\r\nx\r\n'.repeat(250);

const abuse = workerData as Abuse;
const abused: Abused = { endlessBytes: 0, listed: 0, brokenLists: 0, cut: 0, notCut: 0 };
const targets = [`${abuse.facade}/`, `${abuse.logging}/logging`];

/** Opens a connection and sends a first text. */
const open = async (url: string, first = ''): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  // An error is an end like any other.
  const socket = connect(Number(port), hostname).on('error', () => {});
  await once(socket, 'connect');
  if (first) socket.write(first);
  return socket;
};

const get = (url: string, query: string, accept: string): string =>
  `GET ${new URL(url).pathname}${query} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`;

const beIdle = async (n: number): Promise<void> => {
  const first = n % 4 < 2 ? '' : 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const socket = await open(targets[n % 2]!, first);
  socket.resume();
  await once(socket, 'close');
};

const readSlowly = async (n: number): Promise<void> => {
  const url = targets[n % 2]!;
  // Not everything, because filling the buffers of the system with it would keep the services busy
  // for long.
  const socket = await open(url, get(url, '?last=5000', 'application/x-ndjson'));
  socket.on('data', () => socket.pause());
  const reading = setInterval(() => socket.resume(), slowMs);
  await once(socket, 'close');
  clearInterval(reading);
};

const writeSlowly = async (n: number): Promise<void> => {
  const url = targets[n % 2]!;
  const { pathname } = new URL(url);
  const head = `POST ${pathname} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n`;
  const socket = await open(url, head);
  socket.resume();
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n\r\n';
  if (n % 4 < 2) socket.write(type);
  const writing = setInterval(() => socket.write('x'), slowMs);
  await once(socket, 'close');
  clearInterval(writing);
};

/**
 * Returns the client ports of the connections that a service holds open, as the system lists them.
 */
const lookForHeld = async (): Promise<Set<number>> => {
  const servicePorts = new Set(targets.map((url) => Number(new URL(url).port)));
  const held = new Set<number>();
  for (const line of (await readFile('/proc/net/tcp', 'utf8')).split('\n')) {
    // "  0: 0100007F:22B1 0100007F:D3F0 01 …": the service, its peer, and 01 for established.
    const [, service, peer] = /^ *\d+: \w+:(\w+) \w+:(\w+) 01 /.exec(line) ?? [];
    if (servicePorts.has(parseInt(service ?? '', 16))) held.add(parseInt(peer!, 16));
  }
  return held;
};

let looking: Promise<Set<number>> | undefined;

/** Reads the table at most once in a while, for all clients. */
const heldPorts = (): Promise<Set<number>> => {
  looking ??= sleep(lookEveryMs).then(() => {
    looking = undefined;
    return lookForHeld();
  });
  return looking;
};

/** A stalled client reads nothing, so only the system can tell whether it was disconnected. */
const stall = async (n: number): Promise<void> => {
  const url = targets[n % 2]!;
  const socket = await open(url);
  const { localPort } = socket;
  socket.pause();
  socket.write(get(url, '?after=0', 'text/event-stream'));
  const lateAt = performance.now() + abuse.cutMaxMs;
  for (;;) {
    const isCut = !(await heldPorts()).has(localPort!);
    if (!isCut && performance.now() < lateAt) continue;
    abused[isCut ? 'cut' : 'notCut'] += 1;
    socket.destroy();
    return;
  }
};

const neverEnd = async (n: number): Promise<void> => {
  const type = n % 2 === 0 ? 'application/x-www-form-urlencoded' : 'application/x-ndjson';
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: ${type}`;
  const socket = await open(abuse.facade, `${head}\r\n\r\n4\r\ntxt=\r\n`);
  socket.resume();
  const closed = once(socket, 'close').catch(() => {});
  const piece = n % 4 < 2 ? largeChunk : tinyChunks;
  while (!socket.destroyed) {
    abused.endlessBytes += piece.length;
    const isTaken = socket.write(piece);
    await sleep(endlessEveryMs);
    if (!isTaken) await Promise.race([once(socket, 'drain'), closed]);
  }
};

const listAll = async (n: number): Promise<void> => {
  const isReference = n % 2 === 0;
  const accept = isReference ? 'application/json' : 'application/x-ndjson';
  const response = await fetch(targets[isReference ? 0 : 1]!, { headers: { accept } });
  const reader = response.body!.getReader();
  try {
    for (;;) if ((await reader.read()).done) break;
    abused.listed += 1;
  } catch {
    abused.brokenLists += 1;
  }
};

/**
 * Enough to fill a gigabyte in a broken build, and no more, so that the process survives to be
 * seen.
 */
const pipelinedCount = 600_000;

const pipeline = async (n: number): Promise<void> => {
  const url = targets[n % 2]!;
  const socket = await open(url, get(url, '?last=0', 'text/event-stream'));
  socket.resume();
  const closed = once(socket, 'close');
  const request = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (let sent = 0; sent < pipelinedCount && !socket.destroyed; sent += 1_000) {
    if (!socket.write(request.repeat(1_000))) await Promise.race([once(socket, 'drain'), closed]);
  }
  await closed;
};

const unfinishedBytes = 6_000_000;
/** The pause after a refusal, since this is about memory, not load. */
const unfinishedEveryMs = 5_000;

const holdBody = async (n: number): Promise<void> => {
  const type = n % 2 === 0 ? 'application/x-www-form-urlencoded' : 'application/x-ndjson';
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${unfinishedBytes + 1}`;
  const socket = await open(abuse.facade, `${head}\r\nContent-Type: ${type}\r\n\r\n`);
  socket.resume().write(Buffer.alloc(unfinishedBytes, 'x'));
  await once(socket, 'close');
  await sleep(unfinishedEveryMs);
};

/** Repeats an action, with this many clients at a time. */
const keepUp = (count: number, act: (n: number) => Promise<void>): void => {
  const goOn = async (n: number): Promise<never> => {
    for (let turn = n; ; turn += count) {
      await act(turn).catch(() => {}); // Turned away, which is what a service may do.
      await sleep(reopenMs);
    }
  };
  for (let n = 0; n < count; n += 1) void goOn(n);
};

keepUp(abuse.idle, beIdle);
keepUp(abuse.slow / 2, readSlowly);
keepUp(abuse.slow / 2, writeSlowly);
keepUp(abuse.stalled, stall);
keepUp(abuse.endless, neverEnd);
keepUp(abuse.lists, listAll);
keepUp(abuse.pipelining, pipeline);
keepUp(abuse.unfinished, holdBody);
await once(parentPort!, 'message');
// Each of them has had its time.
while (abused.cut + abused.notCut < abuse.stalled) await heldPorts();
parentPort!.postMessage(abused);
process.exit();
