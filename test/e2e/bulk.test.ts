import { once } from 'node:events';
import * as http from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { beforeEach, expect, test } from 'vitest';
import { request } from '../support/http.ts';
import { startProxy } from '../support/proxy.ts';
import { type Fate, startReferenceLogging } from '../support/reference.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// Many messages in one request to the facade, one per line, with one answer per line.

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

type Answer = { line?: number; id?: string; seq?: number; status: string; error?: string };

const type = { 'content-type': 'application/x-ndjson' };
const lineOf = (value: unknown): string => `${JSON.stringify(value)}\n`;

const sendLines = async (url: string, lines: readonly string[]): Promise<Answer[]> => {
  const reply = await request(url, { method: 'POST', headers: type, body: lines.join('') });
  expect(reply).toMatchObject({ status: 200, headers: type });
  return reply.text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Answer);
};

/** Opens a request that stays open: lines and answers pass one by one. */
const openStream = (url: string) => {
  const sent = http.request(url, { method: 'POST', headers: type, agent: false });
  sent.on('error', () => {});
  sandbox.defer(() => sent.destroy());
  const answers = (async function* () {
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    response.on('error', () => {});
    for await (const line of createInterface({ input: response })) yield JSON.parse(line) as Answer;
  })();
  return {
    write: (text: string) => void sent.write(text),
    next: async () => (await answers.next()).value,
    cut: () => void sent.destroy(),
  };
};

test('a line whose outcome is not known is told so, with its id, and never as logged', async () => {
  const logging = await sandbox.serve('logging');
  const proxy = await startProxy(logging.url);
  sandbox.defer(proxy.close);
  const facade = await sandbox.serve('facade', '--logging', proxy.url, '--retry-delay-ms', '20');
  const first = await sendLines(facade.url, [lineOf({ id: 'a', txt: 'one' })]);
  expect(first).toStrictEqual([{ id: 'a', seq: 1, status: 'logged' }]);

  proxy.faults.dropReply = () => true;
  const lines = [lineOf({ id: 'b', txt: 'two' }), 'no JSON\n', '\n', lineOf({ txt: 'three' })];
  expect(await sendLines(facade.url, lines)).toStrictEqual([
    { line: 1, id: 'b', status: 'unknown' },
    { line: 2, status: 'refused', error: expect.any(String) },
    { line: 4, id: expect.stringMatching(/./), status: 'unknown' },
  ]);
  proxy.faults.dropReply = () => false;
  expect(await sendLines(facade.url, lines.slice(0, 1))).toMatchObject([{ id: 'b', seq: 2 }]);
});

test.each<[string, Fate]>([
  ['is overloaded', { status: 503 }],
  ['is full', { status: 507 }],
  ['fails', { status: 500 }],
  ['says nothing', 'hang'],
  ['talks nonsense', 'garbage'],
])('lines are unknown when a reference logging service %s', async (_, fate) => {
  const onPost = ({ id }: { id: string | null }): Fate => (id === 'b' ? fate : 'store');
  const reference = await startReferenceLogging({ onPost });
  sandbox.defer(reference.close);
  const hasty = ['--retry-delay-ms', '20', '--attempt-timeout-ms', '500'];
  const facade = await sandbox.serve('facade', '--logging', reference.url, ...hasty);
  const good = await sendLines(facade.url, [lineOf({ id: 'a', txt: 'one' })]);
  expect(good).toStrictEqual([{ id: 'a', status: 'logged' }]);
  const bad = await sendLines(facade.url, [lineOf({ id: 'b', txt: 'two' })]);
  expect(bad).toStrictEqual([{ line: 1, id: 'b', status: 'unknown' }]);
  expect(reference.posts.filter(({ id }) => id === 'b')).toHaveLength(3);
});

test('a line that is refused below is refused alone', async () => {
  const logging = await sandbox.serve('logging', '--txt-max-bytes', '10');
  const facade = await sandbox.serve('facade', '--logging', logging.url);
  const lines = [
    lineOf({ id: 'a', txt: 'one' }),
    lineOf({ id: 'b', txt: 'longer than ten bytes' }),
    lineOf({ id: 'c', txt: 'three' }),
  ];
  expect(await sendLines(facade.url, lines)).toStrictEqual([
    { id: 'a', seq: 1, status: 'logged' },
    { line: 2, status: 'refused', error: expect.any(String) },
    { id: 'c', seq: 2, status: 'logged' },
  ]);
  expect(await readEntries(logging.url)).toMatchObject([{ id: 'a' }, { id: 'c' }]);
});

test('answers come in the order sent, and repeats and conflicts are told', async () => {
  const { facade, logging } = await sandbox.serveAll('--batch-max-count', '7');
  const ids = Array.from({ length: 300 }, (_, index) => `id-${index}`);
  const lines = ids.map((id, n) => (n % 10 === 5 ? 'no JSON\n' : lineOf({ id, txt: `of ${id}` })));
  const answers = await sendLines(facade.url, lines);
  expect(answers.map(({ id, line, status }) => id ?? `${status} ${line}`)).toStrictEqual(
    ids.map((id, n) => (n % 10 === 5 ? `refused ${n + 1}` : id)),
  );
  const logged = answers.filter(({ status }) => status === 'logged');
  expect(logged.map(({ seq }) => seq)).toStrictEqual(logged.map((_, index) => index + 1));
  expect((await readEntries(logging.url)).map(({ id }) => id)).toStrictEqual(
    logged.map(({ id }) => id),
  );
  const again = [lineOf({ id: 'id-1', txt: 'of id-1' }), lineOf({ id: 'id-2', txt: 'another' })];
  expect(await sendLines(facade.url, again)).toStrictEqual([
    { id: 'id-1', seq: 2, status: 'duplicate' },
    { id: 'id-2', seq: 3, status: 'conflict' },
  ]);
});

test('a line is answered before the next one is sent', async () => {
  const { facade } = await sandbox.serveAll();
  const stream = openStream(facade.url);
  for (const id of ['a', 'b', 'c']) {
    stream.write(lineOf({ id, txt: `of ${id}` }));
    expect(await stream.next()).toMatchObject({ id, status: 'logged' });
  }
  stream.write('no JSON\n');
  expect(await stream.next()).toMatchObject({ line: 4, status: 'refused' });
  stream.cut();
});

test('a stream that is cut leaves what was answered stored, and the service alive', async () => {
  const { facade, logging } = await sandbox.serveAll();
  const stream = openStream(facade.url);
  stream.write(lineOf({ id: 'a', txt: 'one' }) + lineOf({ id: 'b', txt: 'two' }));
  expect(await stream.next()).toMatchObject({ id: 'a', status: 'logged' });
  expect(await stream.next()).toMatchObject({ id: 'b', status: 'logged' });
  stream.write('{"id":"c","txt":"thr');
  stream.cut();
  const told = await facade.waitForLine((line) => line['msg'] === 'Request failed', 5_000);
  expect(told).toMatchObject({ level: 'warn', code: 'cancelled' });
  const after = await sendLines(facade.url, [lineOf({ id: 'd', txt: 'four' })]);
  expect(after).toStrictEqual([{ id: 'd', seq: 3, status: 'logged' }]);
  expect(await readEntries(logging.url)).toMatchObject([{ id: 'a' }, { id: 'b' }, { id: 'd' }]);
});

test('a stop answers the whole lines that were read and refuses none of which half was read', async () => {
  const { facade, logging } = await sandbox.serveAll();
  const stream = openStream(facade.url);
  stream.write(lineOf({ id: 'a', txt: 'one' }) + '{"id":"b","txt":"tw');
  expect(await stream.next()).toMatchObject({ id: 'a', status: 'logged' });
  const ended = facade.kill('SIGTERM');
  // The reply is complete: a broken connection would throw here.
  expect(await stream.next()).toBeUndefined();
  expect(await ended).toStrictEqual({ code: 0, signal: null });
  const again = await sandbox.serve('logging');
  expect(await readEntries(again.url)).toMatchObject([{ id: 'a', txt: 'one' }]);
  expect(logging.stderr()).not.toContain('"level":"error"');
});

test('a stop before any line is whole is told as a service that stops', async () => {
  const { facade } = await sandbox.serveAll();
  const { hostname, port } = new URL(facade.url);
  const socket = connect(Number(port), hostname);
  sandbox.defer(() => socket.destroy());
  let said = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n';
  socket.write(`${head}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n{"txt":"tw`);
  await expect.poll(() => said).toContain(' 100 Continue');
  await facade.kill('SIGTERM');
  expect(said).toMatch(/\r\n\r\nHTTP\/1.1 503 [^]*The service is stopping\./);
  expect(said).not.toContain('refused');
});

test('a byte order mark and CRLF do not spoil lines, at the facade or below', async () => {
  const { facade, logging } = await sandbox.serveAll();
  const body = (id: string) =>
    `\uFEFF{"id":"${id}","txt":"one"}\r\n{"id":"${id}2","txt":"two"}\r\n`;
  for (const url of [facade.url, `${logging.url}/logging`]) {
    const reply = await request(url, { method: 'POST', headers: type, body: body(url) });
    expect(reply.text.match(/"status":"logged"/g)).toHaveLength(2);
  }
  expect((await readEntries(logging.url)).map(({ txt }) => txt)).toEqual([
    'one',
    'two',
    'one',
    'two',
  ]);
});
