import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { type EventStream, type Follower, openEvents, startFollower } from '../support/events.ts';
import { postForm, request } from '../support/http.ts';
import type { LogLine } from '../support/program.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';
import { findFaults, readEntries, startWriters } from '../support/writers.ts';

// Clients of server-sent events: each entry once and in order, across stops and restarts.

const soonMs = 3_000;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const logged = (service: Service) => new URL('/logging', service.url);

const follow = (url: string | URL, by: 'after' | 'Last-Event-ID'): Follower => {
  const follower = startFollower(url, by);
  sandbox.defer(follower.close);
  return follower;
};

const open = async (url: string | URL, headers = {}): Promise<EventStream> => {
  const stream = await openEvents(url, headers);
  sandbox.defer(stream.close);
  return stream;
};

const post = async (url: string, txt: string): Promise<void> => {
  expect(await postForm(url, { txt })).toMatchObject({ status: 200 });
};

/**
 * Matches the line of the diagnostics for the end of a reply to this request. A client of mlog also
 * names the journal, whatever its id.
 */
const ended = (target: string) => (line: LogLine) =>
  line['msg'] === 'Request' && String(line['url']).replace(/&journal=[\da-f-]+$/, '') === target;

test('20 followers get 1 to N once and in order, through kills and stops of both services', async () => {
  let logging = await sandbox.serve('logging');
  const messages = await sandbox.serve('messages');
  const hasty = ['--retry-delay-ms', '100', '--attempt-timeout-ms', '2000'];
  const below = ['--logging', logging.url, '--messages', messages.url, ...hasty];
  let facade = await sandbox.serve('facade', ...below);
  const writers = startWriters(facade.url, 4);
  sandbox.defer(writers.stop);

  const addFollowers = (count: number): Follower[] =>
    Array.from({ length: count }, (_, n) =>
      follow(n % 2 ? logged(logging) : facade.url, n % 4 < 2 ? 'after' : 'Last-Event-ID'),
    );
  const followers = addFollowers(12);
  const comeBack = async (role: 'logging' | 'facade', signal: NodeJS.Signals): Promise<void> => {
    await writers.progress(40);
    if (role === 'logging') {
      await logging.kill(signal);
      logging = await sandbox.serve('logging', '--port', portOf(logging.url));
    } else {
      await facade.kill(signal);
      facade = await sandbox.serve('facade', '--port', portOf(facade.url), ...below);
    }
  };

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await comeBack('logging', signal);
    await comeBack('facade', signal);
  }
  followers.push(...addFollowers(8)); // These begin with much that is behind the tail.
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await Promise.all([comeBack('facade', signal), comeBack('logging', signal)]);
  }
  await writers.progress(40);
  await writers.stop();

  const entries = await readEntries(logging.url);
  expect(findFaults(entries, writers)).toStrictEqual([]);
  expect(entries.length).toBeGreaterThan(200);
  for (const follower of followers) {
    await follower.reach(entries.length);
    expect(follower.entries).toStrictEqual(entries);
    expect(follower.oddities.filter((oddity) => oddity !== 'event stop')).toStrictEqual([]);
  }
  // The first ones were cut, in both ways of ending, and reconnected each time.
  for (const follower of followers.slice(0, 12)) {
    expect(follower.connections()).toBeGreaterThanOrEqual(4);
    expect(follower.oddities).toContain('event stop');
  }
});

test('a follower of the facade keeps its connection while the logging service comes back', async () => {
  const services = await sandbox.serveApart('--retry-delay-ms', '100');
  const { facade } = services;
  let { logging } = services;
  const followers = [follow(facade.url, 'after'), follow(facade.url, 'Last-Event-ID')];
  await post(facade.url, 'before');
  for (const follower of followers) await follower.reach(1);
  for (const [index, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
    await logging.kill(signal);
    logging = await sandbox.serve('logging', '--port', portOf(logging.url));
    await post(facade.url, `after ${signal}`);
    for (const follower of followers) await follower.reach(index + 2);
  }
  const entries = await readEntries(logging.url);
  expect(entries).toHaveLength(3);
  for (const follower of followers) {
    expect(follower.entries).toStrictEqual(entries);
    expect(follower.connections()).toBe(1);
    expect(follower.oddities).toStrictEqual([]);
  }
});

describe('a follower that takes nothing', () => {
  const count = 24;
  const bigText = 'x'.repeat(1_000_000);
  const bytes = count * bigText.length; // More than the system holds between two processes.

  const fill = async (url: string): Promise<void> => {
    for (let n = 0; n < count; n += 1) await post(url, bigText);
  };

  /** Requests everything and reads nothing of it. */
  const openStalled = async (url: string | URL): Promise<Socket> => {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname).on('error', () => {});
    sandbox.defer(() => socket.destroy());
    await once(socket, 'connect');
    socket.pause();
    const accept = 'Accept: text/event-stream';
    socket.write(`GET ${pathname}?after=0 HTTP/1.1\r\nHost: localhost\r\n${accept}\r\n\r\n`);
    return socket;
  };

  /** Reads to the end. Returns how much there was and how it ended. */
  const readRest = async (socket: Socket): Promise<{ length: number; end: string }> => {
    let length = 0;
    let end = '';
    socket.on('data', (piece: Buffer) => {
      length += piece.length;
      end = (end + piece.toString('latin1')).slice(-100);
    });
    const closed = once(socket, 'close');
    socket.resume();
    await closed;
    return { length, end };
  };

  test('is cut after the time that is set, and comes back by its position', async () => {
    const small = ['--reader-stall-ms', '500', '--log-level', 'debug'];
    const { facade, logging } = await sandbox.serveAll(...small);
    await fill(facade.url);
    for (const [service, path] of [
      [facade, '/'],
      [logging, '/logging'],
    ] as const) {
      const stalled = await openStalled(new URL(path, service.url));
      await service.waitForLine(ended(`${path}?after=0`), 10_000);
      const { length, end } = await readRest(stalled);
      expect(length).toBeLessThan(bytes);
      expect(end).not.toContain('event: stop');
      const again = await open(new URL(path, service.url), { 'last-event-id': String(count - 2) });
      await again.waitFor(() => again.seqs()[1]);
      expect(again.seqs()).toStrictEqual([count - 1, count]);
    }
  });

  test('holds up nobody, and gets everything once it reads', async () => {
    const logging = await sandbox.serve('logging', '--reader-stall-ms', '60000');
    const below = ['--logging', logging.url, '--reader-stall-ms', '60000'];
    const facade = await sandbox.serve('facade', ...below);
    const urls = [facade.url, logged(logging)];
    const stalled = await Promise.all(urls.map(openStalled));
    const healthy = urls.map((url) => follow(url, 'after'));
    await fill(facade.url);
    const delaysMs: number[] = [];
    for (let n = count + 1; n <= count + 30; n += 1) {
      const postedAt = performance.now();
      await post(facade.url, `small ${n}`);
      for (const follower of healthy) await follower.reach(n);
      delaysMs.push(performance.now() - postedAt);
    }
    delaysMs.sort((a, b) => a - b);
    expect(delaysMs[15]).toBeLessThan(250);
    const rests = stalled.map(readRest);
    expect(await facade.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
    expect(await logging.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
    for (const rest of rests) expect((await rest).end).toContain('event: stop\ndata: {}\n\n');
    for (const { entries } of healthy) {
      expect(entries.map(({ seq }) => seq)).toStrictEqual(entries.map((_, index) => index + 1));
    }
  });
});

test('a client that goes away is noticed at once, through the facade as well', async () => {
  const logging = await sandbox.serve('logging', '--log-level', 'debug');
  const facade = await sandbox.serve('facade', '--logging', logging.url, '--log-level', 'debug');
  await post(facade.url, 'one');
  const direct = await open(new URL('/logging?after=0', logging.url));
  const streams = [await open(new URL('/?after=0', facade.url)), await open(facade.url)];
  for (const stream of [direct, ...streams]) await stream.waitFor(() => stream.seqs()[0]);

  direct.close();
  await logging.waitForLine(ended('/logging?after=0'), soonMs);
  streams[0]!.close();
  await facade.waitForLine(ended('/?after=0'), soonMs);
  // The facade still follows for the other client, and stops when that one leaves, too.
  expect(logging.lines().filter(ended('/logging?after=1'))).toHaveLength(0);
  await post(facade.url, 'two');
  await streams[1]!.waitFor(() => streams[1]!.seqs()[1]);
  streams[1]!.close();
  await logging.waitForLine(ended('/logging?after=1'), soonMs);
});

describe('a stream of events', () => {
  test('ends with an event without an id at a graceful stop, and the service with 0', async () => {
    const { facade, logging, messages } = await sandbox.serveApart();
    const replica = await sandbox.serve('messages', '--follow', logging.url);
    await post(facade.url, 'one');
    const urls = [facade.url, new URL('/messages', replica.url), logged(logging)];
    const streams = await Promise.all(urls.map((url) => open(url)));
    for (const stream of streams) await stream.waitFor(() => stream.seqs()[0]);
    for (const [index, service] of [facade, replica, logging].entries()) {
      const stoppedAt = performance.now();
      expect(await service.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
      expect(performance.now() - stoppedAt).toBeLessThan(soonMs);
      expect(await streams[index]!.ended).toBe(true);
      expect(streams[index]!.blocks.at(-1)).toStrictEqual({ event: 'stop', data: '{}' });
      expect(streams[index]!.seqs()).toStrictEqual([1]);
    }
    expect(await messages.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
  });

  test('tells that it lives by comments, and gives the id to entries alone', async () => {
    const { facade, logging } = await sandbox.serveAll('--heartbeat-ms', '30');
    for (const url of [facade.url, logged(logging)]) {
      const stream = await open(url);
      expect(stream).toMatchObject({
        status: 200,
        headers: { 'content-type': 'text/event-stream', 'mlog-last-seq': expect.any(String) },
      });
      const comments = () => stream.blocks.filter(({ comment }) => comment !== undefined);
      await stream.waitFor(() => comments()[2]);
      await post(facade.url, 'line one\nline two \u2028 🙂');
      const last = await stream.waitFor(() => stream.blocks.find(({ id }) => id !== undefined));
      const before = comments().length;
      await stream.waitFor(() => comments()[before + 1]);
      expect(JSON.parse(last.data!)).toMatchObject({
        seq: Number(last.id),
        txt: 'line one\nline two \u2028 🙂',
      });
      for (const { id, data } of stream.blocks) expect(id === undefined).toBe(data === undefined);
    }
  });

  test('begins where it is asked to: behind a position, with the last ones, with what is to come', async () => {
    const { facade } = await sandbox.serveAll();
    // Together, and while another one follows: they begin in the middle of the tail.
    const first = await open(facade.url);
    const body = [1, 2, 3, 4, 5].map((n) => `{"txt":"text ${n}"}\n`).join('');
    const headers = { 'content-type': 'application/x-ndjson' };
    await request(facade.url, { method: 'POST', headers, body });
    await first.waitFor(() => first.seqs()[4]);
    const asked = [
      ['/?after=3', {}],
      ['/?after=0', { 'last-event-id': '3' }],
      ['/?last=2', {}],
    ] as const;
    for (const [target, position] of asked) {
      const stream = await open(new URL(target, facade.url), position);
      await stream.waitFor(() => stream.seqs()[1]);
      expect(stream.seqs()).toStrictEqual([4, 5]);
      expect(stream.headers['mlog-last-seq']).toBe('5');
    }
    const toCome = await open(new URL('/?last=0', facade.url));
    await post(facade.url, 'text 6');
    await toCome.waitFor(() => toCome.seqs()[0]);
    expect(toCome.seqs()).toStrictEqual([6]);
    const limited = await open(new URL('/?after=4&limit=3', facade.url));
    await post(facade.url, 'text 7');
    expect(await limited.ended).toBe(true);
    expect(limited.seqs()).toStrictEqual([5, 6, 7]);
  });

  test('is refused where its last entry has never been there', async () => {
    const { facade, logging } = await sandbox.serveAll();
    await post(facade.url, 'the only one');
    for (const url of [facade.url, logged(logging)]) {
      const headers = { accept: 'text/event-stream', 'last-event-id': '2' };
      const reply = await request(url, { headers });
      expect(reply).toMatchObject({ status: 410 });
      expect(JSON.parse(reply.text)).toMatchObject({ code: 'gone', firstSeq: 1 });
    }
  });

  test('is refused before it begins where the position is no number', async () => {
    const { facade, logging } = await sandbox.serveAll();
    for (const url of [facade.url, logged(logging)]) {
      const headers = { accept: 'text/event-stream', 'last-event-id': 'x' };
      expect(await request(url, { headers })).toMatchObject({
        status: 400,
        headers: { 'content-type': 'application/problem+json' },
      });
    }
  });
});
