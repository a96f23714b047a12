import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { openEvents } from '../support/events.ts';
import { getText, postForm, type Reply, request } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries, type StoredEntry } from '../support/writers.ts';

// The messages role with --follow: a copy of another journal, whatever happens to that one.

const waitMs = 15_000;
const at = '2026-11-25T12:00:00.000Z';
const ndjson = { accept: 'application/x-ndjson' };

let sandbox: Sandbox;
let copy: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  copy = `file:${join(sandbox.folder, 'copy.db')}`;
  return () => sandbox.close();
});

const log = async (service: Service, ...texts: string[]): Promise<void> => {
  for (const txt of texts) {
    const reply = await postForm(new URL('/logging', service.url), { id: `id of ${txt}`, txt });
    expect(reply).toMatchObject({ status: 201 });
  }
};

const read = (replica: Service, query = '', headers = {}): Promise<Reply> =>
  request(new URL(`/messages${query}`, replica.url), { headers });

const entriesOf = ({ text }: Reply): StoredEntry[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEntry);

/** Waits until the replica has this many entries, and returns them. */
const caughtUp = (replica: Service, count: number): Promise<StoredEntry[]> =>
  vi.waitFor(
    async () => {
      const reply = await read(replica, '', ndjson);
      expect(reply.status).toBe(200);
      const entries = entriesOf(reply);
      expect(entries).toHaveLength(count);
      return entries;
    },
    { timeout: waitMs },
  );

const lagIs = (replica: Service, lag: number) =>
  vi.waitFor(
    async () => expect((await read(replica)).headers['mlog-replica-lag']).toBe(String(lag)),
    { timeout: waitMs },
  );

const lines = (service: Service, level: string) =>
  service.lines().filter((line) => line['level'] === level);

test.each([
  ['memory', []],
  ['a file', ['--store']],
])('a replica in %s catches up after outages of the other one and of itself', async (_, flags) => {
  let logging = await sandbox.serve('logging');
  await log(logging, 'one', 'two');
  const args = ['--follow', logging.url, ...flags.flatMap((flag) => [flag, copy])];
  let replica = await sandbox.serve('messages', ...args);
  expect(await caughtUp(replica, 2)).toStrictEqual(await readEntries(logging.url));

  let count = 2;
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    // The original goes away while reads continue, and returns with more.
    const before = await readEntries(logging.url);
    await logging.kill(signal);
    expect(entriesOf(await read(replica, '', ndjson))).toStrictEqual(before);
    expect(await read(replica, '?id=id+of+one')).toMatchObject({ status: 200 });
    logging = await sandbox.serve('logging', '--port', portOf(logging.url));
    await log(logging, `after ${signal} of logging`);
    count += 1;
    await caughtUp(replica, count);

    // The replica goes away and misses some entries.
    await replica.kill(signal);
    await log(logging, `${signal} of the replica`);
    count += 1;
    replica = await sandbox.serve('messages', '--port', portOf(replica.url), ...args);
    expect(await caughtUp(replica, count)).toStrictEqual(await readEntries(logging.url));
    await lagIs(replica, 0);
  }
  expect(lines(replica, 'error')).toStrictEqual([]);
});

test('a replica in a file starts with what it has while the other one is down', async () => {
  const logging = await sandbox.serve('logging');
  await log(logging, 'one', 'two');
  const args = ['--follow', logging.url, '--store', copy];
  const replica = await sandbox.serve('messages', ...args);
  const entries = await caughtUp(replica, 2);
  await replica.kill();
  await logging.kill();
  const again = await sandbox.serve('messages', ...args);
  expect(entriesOf(await read(again, '', ndjson))).toStrictEqual(entries);
  const verified = await again.kill('SIGTERM');
  expect(verified).toStrictEqual({ code: 0, signal: null });
  const verify = await sandbox.run(['verify', '--store', copy]);
  expect(verify).toMatchObject({ code: 0, stdout: expect.stringMatching(/^whole: 2 messages/) });
});

test('a replica answers in every form as the logging service does', async () => {
  const logging = await sandbox.serve('logging');
  const txt = 'Ünïcode 🙂 \0 "quoted" \r\n';
  await log(logging, 'one', txt, 'three', 'four');
  const replica = await sandbox.serve('messages', '--follow', logging.url);
  await caughtUp(replica, 4);
  for (const [query, headers] of [
    ['', {}],
    ['', ndjson],
    ['?after=1', ndjson],
    ['?after=1&limit=2', {}],
    ['?last=1', ndjson],
    ['?id=id+of+three', {}],
    ['?id=unknown', {}],
    ['?after=x', {}],
    ['?before=1', {}],
  ] as const) {
    const ours = await read(replica, query, headers);
    const theirs = await request(new URL(`/logging${query}`, logging.url), { headers });
    expect({ query, status: ours.status, text: ours.text }).toStrictEqual({
      query,
      status: theirs.status,
      text: theirs.text,
    });
    for (const name of ['content-type', 'mlog-first-seq', 'mlog-last-seq', 'vary']) {
      expect(ours.headers[name], `${name} of ${query}`).toBe(theirs.headers[name]);
    }
    if (ours.status === 200) expect(ours.headers['mlog-replica-lag']).toBe('0');
  }
  const post = await request(new URL('/messages', replica.url), { method: 'POST' });
  expect(post).toMatchObject({ status: 405, text: '"Method not allowed"\n' });
});

test('a replica is followed as the logging service is, and into what comes later', async () => {
  const logging = await sandbox.serve('logging');
  await log(logging, 'one', 'two');
  const replica = await sandbox.serve('messages', '--follow', logging.url);
  await caughtUp(replica, 2);
  const stream = await openEvents(new URL('/messages?after=1', replica.url));
  sandbox.defer(stream.close);
  expect(stream.headers).toMatchObject({ 'mlog-replica-lag': '0', 'mlog-last-seq': '2' });
  await log(logging, 'three');
  await stream.waitFor(() => stream.seqs()[1]);
  expect(stream.seqs()).toStrictEqual([2, 3]);
});

test('the lag tells how many messages are not here yet', async () => {
  // A logging service that has ten entries and sends them when the test says so.
  const give: ((from: number, to: number) => void)[] = [];
  const entryOf = (seq: number) => JSON.stringify({ seq, id: `${seq}`, txt: 'a', at });
  const server = createServer(({ method, url, headers }, response) => {
    response.setHeader('mlog-role', 'logging').setHeader('mlog-first-seq', '1');
    response.setHeader('mlog-last-seq', '10');
    if (headers.accept !== 'text/event-stream') {
      response.end();
      return;
    }
    expect({ method, url }).toStrictEqual({ method: 'GET', url: '/logging?after=0' });
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    give.push((from, to) => {
      for (let seq = from; seq <= to; seq += 1) {
        response.write(`id: ${seq}\ndata: ${entryOf(seq)}\n\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  sandbox.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const replica = await sandbox.serve('messages', '--follow', address);
  await lagIs(replica, 10);
  await vi.waitFor(() => expect(give).toHaveLength(1), { timeout: waitMs });
  give[0]!(1, 4);
  await lagIs(replica, 6);
  expect(entriesOf(await read(replica, '', ndjson))).toHaveLength(4);
  give[0]!(5, 10);
  await lagIs(replica, 0);
  give[0]!(11, 11);
  await caughtUp(replica, 11);
  await lagIs(replica, 0);
});

describe('a replica of another journal', () => {
  const refused = (replica: Service) =>
    replica.waitForLine(
      ({ level, msg }) => level === 'error' && /cannot continue.*another journal/.test(String(msg)),
      waitMs,
    );

  test.each([
    ['shorter', ['a']],
    ['longer', ['a', 'b', 'c', 'd']],
    ['empty', []],
  ])('that is %s stops, says so, and keeps what it has', async (_, texts) => {
    const first = await sandbox.serve('logging', '--store', 'memory:');
    await log(first, 'one', 'two');
    const replica = await sandbox.serve('messages', '--follow', first.url, '--store', copy);
    const entries = await caughtUp(replica, 2);
    await replica.kill('SIGTERM');

    const other = await sandbox.serve('logging', '--store', 'memory:');
    await log(other, ...texts);
    const again = await sandbox.serve('messages', '--follow', other.url, '--store', copy);
    expect(await refused(again)).toMatchObject({ code: 'conflict' });
    await log(other, 'later');
    expect(entriesOf(await read(again, '', ndjson))).toStrictEqual(entries);
    expect(await again.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
  });

  test('that took the place of the first one stops as well', async () => {
    const memory = ['--store', 'memory:'];
    const first = await sandbox.serve('logging', ...memory);
    await log(first, 'one', 'two');
    const replica = await sandbox.serve('messages', '--follow', first.url);
    const entries = await caughtUp(replica, 2);
    await first.kill();
    const other = await sandbox.serve('logging', ...memory, '--port', portOf(first.url));
    await log(other, 'three');
    expect(await refused(replica)).toMatchObject({ code: 'conflict' });
    expect(entriesOf(await read(replica, '', ndjson))).toStrictEqual(entries);
  });
});

test('a replica that is behind what retention keeps stops, and says where that begins', async () => {
  const retained = ['--retain-messages', '2'];
  const logging = await sandbox.serve('logging');
  await log(logging, 'one', 'two');
  const replica = await sandbox.serve('messages', '--follow', logging.url, '--store', copy);
  const entries = await caughtUp(replica, 2);
  await replica.kill('SIGTERM');
  await log(logging, 'three', 'four', 'five', 'six');
  await logging.kill('SIGTERM');
  const kept = await sandbox.serve('logging', ...retained, '--port', portOf(logging.url));
  await vi.waitFor(
    async () => {
      const { headers } = await request(new URL('/logging?last=0', kept.url));
      expect(headers['mlog-first-seq']).toBe('5');
    },
    { timeout: waitMs },
  );
  const again = await sandbox.serve('messages', '--follow', kept.url, '--store', copy);
  const said = await again.waitForLine(({ level }) => level === 'error', waitMs);
  expect(said['code']).toBe('gone');
  expect(said['msg']).toContain('seq 5');
  expect(entriesOf(await read(again, '', ndjson))).toStrictEqual(entries);

  // A replica without entries begins where the other one does.
  const fresh = await sandbox.serve('messages', '--follow', kept.url);
  expect(await caughtUp(fresh, 2)).toMatchObject([{ seq: 5 }, { seq: 6 }]);
});

test('the facade lists what a replica has in the place of the messages service', async () => {
  const logging = await sandbox.serve('logging');
  const replica = await sandbox.serve('messages', '--follow', logging.url);
  await lagIs(replica, 0);
  const below = ['--logging', logging.url, '--messages', replica.url];
  const facade = await sandbox.serve('facade', ...below);
  expect(JSON.parse(await getText(facade.url))).toStrictEqual([
    'logging-service: []\n',
    'message-service: []\n',
  ]);
  const texts = ['Hello', 'Its "me" \\ 🙂\n'];
  await log(logging, ...texts);
  await caughtUp(replica, 2);
  expect(JSON.parse(await getText(facade.url))).toStrictEqual([
    `logging-service: ${JSON.stringify(texts)}\n`,
    `message-service: ${JSON.stringify(texts)}\n`,
  ]);
});

describe('without --follow', () => {
  test("the messages service says the reference's sentence", async () => {
    const messages = await sandbox.serve('messages');
    const reply = await read(messages);
    expect(reply).toMatchObject({ status: 200, text: 'Message-service not implemented yet' });
    expect(reply.headers['mlog-replica-lag']).toBeUndefined();
  });

  test('a store is refused, and none is made', async () => {
    const run = await sandbox.run(['serve', 'messages', '--port', '0', '--store', copy]);
    expect(run).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^mlog: --store needs --follow\. [^\n]+\n$/),
    });
    const verify = await sandbox.run(['verify', '--store', copy]);
    expect(verify.code).not.toBe(0);
  });
});

test('a service that is told to follow itself does not start', async () => {
  const before = await sandbox.serve('messages');
  await before.kill('SIGTERM');
  const port = portOf(before.url);
  const follow = `http://localhost:${port}`;
  const run = await sandbox.run(['serve', 'messages', '--port', port, '--follow', follow]);
  expect(run).toMatchObject({ code: 1, stdout: '' });
  expect(run.stderr).toContain(`--follow ${follow} is this service itself.`);
});
