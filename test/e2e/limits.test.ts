import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test, vi } from 'vitest';
import { startChild } from '../support/child.ts';
import { getText, postForm, rawRequest, type Reply, request } from '../support/http.ts';
import { refusalOf, toReply } from '../support/refusal.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// Clients and services that take more than their share, against small limits.

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const openSocket = async (url: string): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => {});
  sandbox.defer(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
};

/**
 * Sends a request on a kept connection. Returns the reply, or nothing if the connection was closed.
 */
const ask = async (socket: Socket): Promise<string> => {
  const answered = Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [''])]);
  socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return String((await answered)[0]);
};

test('the facade refuses what it cannot queue, and nothing of that is ever stored', async () => {
  const patient = ['--attempt-timeout-ms', '60000', '--queue-max-count', '5'];
  const { facade, logging } = await sandbox.serveApart(...patient);
  process.kill(logging.pid, 'SIGSTOP');
  const ids = Array.from({ length: 20 }, (_, index) => `id-${index}`);
  let refused = 0;
  const replied = Promise.all(
    ids.map(async (id) => {
      const reply = await postForm(facade.url, { id, txt: `of ${id}` });
      if (reply.status === 503) refused += 1;
      return { id, reply };
    }),
  );
  await vi.waitFor(() => expect(refused).toBe(15), { timeout: 20_000 });
  process.kill(logging.pid, 'SIGCONT');

  const replies = await replied;
  const stored = replies.filter(({ reply }) => reply.status === 200).map(({ id }) => id);
  expect(stored).toHaveLength(5);
  for (const { reply } of replies.filter(({ id }) => !stored.includes(id))) {
    expect(refusalOf(reply)).toBe(503);
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  }
  expect(await postForm(facade.url, { id: 'later', txt: 'Its me' })).toMatchObject({ status: 200 });
  const entries = await readEntries(logging.url);
  expect(entries.map(({ id }) => id).toSorted()).toStrictEqual([...stored, 'later'].toSorted());
});

test('the logging service refuses what it cannot queue, and stores nothing of it', async () => {
  const { url } = await sandbox.serve('logging', '--queue-max-count', '1');
  const path = new URL('/logging', url);
  const logged: string[] = [];
  const refused: Reply[] = [];
  // The disk may keep up with a single burst, but not with several.
  for (let burst = 0; burst < 50 && refused.length === 0; burst += 1) {
    const ids = Array.from({ length: 30 }, (_, index) => `id-${burst}-${index}`);
    const replies = await Promise.all(ids.map((id) => postForm(path, { id, txt: 'a' })));
    logged.push(...ids.filter((_, index) => replies[index]!.status === 201));
    refused.push(...replies.filter(({ status }) => status !== 201));
  }
  expect(refused.length).toBeGreaterThan(0);
  for (const reply of refused) {
    expect(refusalOf(reply)).toBe(503);
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  }
  const entries = await readEntries(url);
  expect(entries.map(({ id }) => id).toSorted()).toStrictEqual(logged.toSorted());
});

test('a reader that takes nothing is cut, and makes room for others', async () => {
  const filled = await sandbox.serve('logging');
  const headers = { 'content-type': 'application/x-ndjson' };
  const body = `${JSON.stringify({ txt: 'x'.repeat(1_000_000) })}\n`.repeat(7);
  for (let n = 0; n < 4; n += 1) {
    await request(new URL('/logging', filled.url), { method: 'POST', headers, body });
  }
  await filled.kill('SIGTERM');

  const { url } = await sandbox.serve(
    'logging',
    '--reader-stall-ms',
    '300',
    '--connections-max',
    '1',
  );
  const reader = await openSocket(url);
  reader.write('GET /logging HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await once(reader, 'readable'); // The reply has begun; nothing of it is taken.
  await vi.waitFor(() => getText(new URL('/logging?last=0', url)), {
    timeout: 10_000,
    interval: 50,
  });
  let bytes = 0;
  let end = '';
  reader.on('data', (piece: Buffer) => {
    bytes += piece.length;
    end = (end + piece.toString('latin1')).slice(-5);
  });
  if (!reader.closed) await once(reader, 'close');
  expect(bytes).toBeLessThan(28_000_000);
  expect(end).not.toBe('0\r\n\r\n'); // It can tell that this is not the whole list.
});

test('headers and bodies that do not come are answered 408', async () => {
  const slow = ['--headers-timeout-ms', '300', '--request-timeout-ms', '300'];
  const { url } = await sandbox.serve('logging', ...slow);
  const head = 'POST /logging HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
  const rest =
    'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\nid=one';
  const replies = await Promise.all([rawRequest(url, head), rawRequest(url, head + rest)]);
  expect(replies.map((raw) => refusalOf(toReply(raw)))).toStrictEqual([408, 408]);
  expect(await readEntries(url)).toStrictEqual([]);
});

test('connections beyond the most are refused with a reason, and probes are answered', async () => {
  const service = await sandbox.serve('logging', '--connections-max', '5');
  const { url } = service;
  const sockets: Socket[] = [];
  for (let n = 0; n < 5; n += 1) sockets.push(await openSocket(url));
  for (const socket of sockets) expect(await ask(socket)).toMatch(/^HTTP\/1\.1 200 /);
  // Silent clients keep nobody out.
  for (let n = 0; n < 30; n += 1) await openSocket(url);
  for (const probe of ['/livez', '/readyz']) await getText(new URL(probe, url));
  const form = { id: 'one', txt: 'Its me' };
  const refused = await postForm(new URL('/logging', url), form);
  expect(refusalOf(refused)).toBe(503);
  expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  for (const socket of sockets) expect(await ask(socket)).toMatch(/^HTTP\/1\.1 200 /);
  expect(service.stderr().match(/All 5 connections are taken/g)).toHaveLength(1);
  sockets.pop()!.destroy();
  await vi.waitFor(() => getText(new URL('/logging?last=0', url)), { timeout: 10_000 });
});

test('connections of all services leave descriptors for what the process itself opens', async () => {
  const script = 'ulimit -n 128; exec "$@"';
  const { stderr, facade, servers } = await serveThrough('sh', '-c', script, 'sh');
  expect(stderr()).toContain('At most 64 connections');
  expect(stderr()).toContain('"connectionsMax":64');
  const kept = await openSocket(facade);
  expect(await ask(kept)).toMatch(/^HTTP\/1\.1 200 /);
  const sockets: Socket[] = [];
  for (let n = 0; n < 500; n += 1) sockets.push(await openSocket(servers[n % servers.length]!));
  const form = 'txt=Its+me';
  kept.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${form.length}\r\n\r\n${form}`);
  expect(String((await once(kept, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
  for (const url of servers.filter((one) => one.startsWith('http:'))) {
    for (const probe of ['/livez', '/readyz']) await getText(new URL(probe, url));
  }
  expect((await postForm(facade, { txt: 'no room' })).status).toBe(503);
  for (const socket of sockets) socket.destroy();
  await vi.waitFor(async () => expect((await postForm(facade, { txt: 'room' })).status).toBe(200), {
    timeout: 2_000,
    interval: 20,
  });
  const all = (await getText(facade, { accept: 'application/x-ndjson' })).split('\n');
  expect(all.filter((line) => line.includes('no room'))).toEqual([]);
});

/** Starts all services through a command, on free ports. Returns the addresses of the servers. */
const serveThrough = async (command: string, ...args: string[]) => {
  const program = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
  const ports = ['--port', '0', '--logging-port', '0', '--messages-port', '0'];
  const serving = [process.execPath, program, 'serve', ...ports, '--store', sandbox.store];
  const env = { ...sandbox.env, PATH: process.env['PATH'] };
  const child = await startChild(command, [...args, ...serving], { env });
  sandbox.defer(() => child.kill());
  const readServers = () => {
    const line = /^.*"msg":"Ready".*$/m.exec(child.stderr())?.[0];
    if (line === undefined) return undefined;
    const { facade, logging, messages, grpc } = JSON.parse(line) as Record<string, string>;
    return { facade: facade!, servers: [facade!, logging!, messages!, grpc!] };
  };
  return { stderr: child.stderr, ...(await child.waitFor(readServers, 10_000)) };
};

test('a reply says how long its connection is kept', async () => {
  const { url } = await sandbox.serve('logging', '--keep-alive-timeout-ms', '7000');
  expect(await ask(await openSocket(url))).toMatch(/^Keep-Alive: timeout=7\r$/m);
});

test('a reply that never ends is given up, each attempt after its time as a whole', async () => {
  let posts = 0;
  const upstream = createServer((incoming, response) => {
    incoming.resume();
    // It looks like the reference, which has a list and no health page.
    if (incoming.method === 'HEAD') return void response.writeHead(200).end();
    if (incoming.method !== 'POST') return void response.writeHead(404).end();
    posts += 1;
    response.writeHead(201, { 'content-type': 'application/json' });
    const dribble = setInterval(() => response.write(' '), 100);
    response.once('close', () => clearInterval(dribble));
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  sandbox.defer(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const logging = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const hasty = ['--attempt-timeout-ms', '500', '--retry-delay-ms', '20'];
  const facade = await sandbox.serve('facade', '--logging', logging, ...hasty);
  const startedAt = performance.now();
  const reply = await postForm(facade.url, { id: 'one', txt: 'Its me' });
  expect(performance.now() - startedAt).toBeLessThan(8_000);
  expect(reply.status).toBe(500);
  expect(JSON.parse(reply.text)).toStrictEqual({
    id: 'one',
    error: expect.stringMatching(/unknown/),
  });
  expect(posts).toBe(3);
});

test('a request of more than 100 headers is refused, so that none is overlooked', async () => {
  const { facade, logging } = await sandbox.serveApart();
  const send = async (count: number, key: string): Promise<string> => {
    const own = [
      'Host: localhost',
      'Connection: close',
      'Content-Type: text/plain',
      'Content-Length: 1',
    ];
    const more = Array.from({ length: count - own.length - 1 }, (_, index) => `X-${index}: x`);
    const head = ['POST / HTTP/1.1', ...own, ...more, `Idempotency-Key: ${key}`].join('\r\n');
    return await rawRequest(facade.url, `${head}\r\n\r\na`);
  };
  expect(refusalOf(toReply(await send(101, 'one')))).toBe(431);
  expect(refusalOf(toReply(await send(300, 'two')))).toBe(431);
  expect(toReply(await send(100, 'three'))).toMatchObject({ status: 200 });
  expect(await readEntries(logging.url)).toMatchObject([{ id: 'three', txt: 'a' }]);
});
