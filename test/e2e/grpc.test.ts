import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status, type Client } from '@grpc/grpc-js';
import { beforeEach, describe, expect, test } from 'vitest';
import { openEvents } from '../support/events.ts';
import {
  appendMethod,
  callBytes,
  callOwn,
  endOf,
  openAppend,
  openRead,
  openReferenceClient,
  startReferenceServer,
  type AppendReply,
  type Page,
  type ReferenceClient,
} from '../support/grpc.ts';
import { getText, postForm, rawRequest, request } from '../support/http.ts';
import { openSandbox, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries, startWriters } from '../support/writers.ts';

const lineTimeoutMs = 10_000;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const grpcOf = (service: Service): string => String(service.ready['grpc']);

const openClient = (url: string, options = {}): ReferenceClient => {
  const opened = openReferenceClient(url, options);
  sandbox.defer(() => opened.client.close());
  return opened;
};

const serveLogging = async (...args: string[]) => {
  const logging = await sandbox.serve('logging', ...args);
  return { logging, ...openClient(grpcOf(logging)) };
};

const serveFacade = (url: string, ...args: string[]): Promise<Service> =>
  sandbox.serve('facade', '--logging', url, '--retry-delay-ms', '100', ...args);

const refusal = (code: status) => expect.objectContaining({ code }) as Error;

/** Reads a stream to its end. Returns the texts and how it ended. */
const readAll = async (client: Client, wanted: object) => {
  const texts: string[] = [];
  const stream = openRead(client, wanted);
  stream.on('data', (page: Page) => texts.push(...page.entries.map(({ txt }) => txt)));
  const ended = await endOf(stream);
  return { texts, code: ended.code, metadata: ended.metadata.getMap() };
};

describe('the calls of the reference', () => {
  test('keep a message once, and list the texts', async () => {
    const { logging, logMessage, getMessages } = await serveLogging();
    expect(await getMessages()).toStrictEqual([]);
    expect(await logMessage({ id: 'a', txt: 'Its me' })).toBe('Logged');
    expect(await logMessage({ id: 'b', txt: '\uFEFFÜnïcode 🙂\0\r\n' })).toBe('Logged');
    expect(await logMessage({ id: 'a', txt: 'Its me' })).toBe('Duplicate');
    await expect(logMessage({ id: 'a', txt: 'other' })).rejects.toThrow(
      refusal(status.ALREADY_EXISTS),
    );
    expect(await getMessages()).toStrictEqual(['Its me', '\uFEFFÜnïcode 🙂\0\r\n']);
    expect(await readEntries(logging.url)).toMatchObject([
      { seq: 1, id: 'a', txt: 'Its me' },
      { seq: 2, id: 'b', txt: '\uFEFFÜnïcode 🙂\0\r\n' },
    ]);
    await logging.waitForLine((line) => line['msg'] === 'Message: Its me', lineTimeoutMs);
  });

  test.each<[string, object, status]>([
    ['without an id', { txt: 'x' }, status.INVALID_ARGUMENT],
    ['without a text', { id: 'x' }, status.INVALID_ARGUMENT],
    ['with nothing', {}, status.INVALID_ARGUMENT],
    ['with an id of 257 bytes', { id: 'x'.repeat(257), txt: 'x' }, status.INVALID_ARGUMENT],
    ['with a text over a MiB', { id: 'x', txt: 'x'.repeat(1_048_577) }, status.RESOURCE_EXHAUSTED],
    ['of 9 MB', { id: 'x', txt: 'x'.repeat(9_000_000) }, status.RESOURCE_EXHAUSTED],
  ])('refuse a message %s, and keep nothing', async (_, message, code) => {
    const { logging, logMessage } = await serveLogging();
    await expect(logMessage(message)).rejects.toThrow(refusal(code));
    expect(await readEntries(logging.url)).toStrictEqual([]);
    expect(logging.stderr()).not.toContain('"level":"error"');
  });

  test('take a text of a MiB, and messages that are compressed', async () => {
    const { logging, logMessage } = await serveLogging();
    const txt = 'é'.repeat(524_288);
    expect(await logMessage({ id: 'large', txt })).toBe('Logged');
    const gzip = openClient(grpcOf(logging), { 'grpc.default_compression_algorithm': 2 });
    expect(await gzip.logMessage({ id: 'gzip', txt })).toBe('Logged');
    // 20 MB that were small on the wire are 20 MB all the same.
    const bomb = { id: 'bomb', txt: 'x'.repeat(20_000_000) };
    await expect(gzip.logMessage(bomb)).rejects.toThrow(refusal(status.RESOURCE_EXHAUSTED));
    expect((await readEntries(logging.url)).map(({ id }) => id)).toStrictEqual(['large', 'gzip']);
  });

  test('are answered each, 200 at once on one connection and of one id', async () => {
    const { logMessage, getMessages } = await serveLogging();
    const ids = Array.from({ length: 200 }, (_, n) => `id-${n % 100}`);
    const replies = await Promise.all(ids.map((id) => logMessage({ id, txt: `text of ${id}` })));
    expect(replies.filter((reply) => reply === 'Logged')).toHaveLength(100);
    expect(replies.filter((reply) => reply === 'Duplicate')).toHaveLength(100);
    expect(await getMessages()).toHaveLength(100);
  });

  test('say which call to use where the list does not fit a reply', async () => {
    const { logging, client, getMessages } = await serveLogging();
    const lines = Array.from({ length: 5 }, (_, n) => ({ id: `${n}`, txt: 'x'.repeat(1_000_000) }));
    await request(new URL('/logging', logging.url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    });
    await expect(getMessages()).rejects.toThrow(
      expect.objectContaining({
        code: status.RESOURCE_EXHAUSTED,
        details: expect.stringContaining('LoggingService/Read') as string,
      }) as Error,
    );
    expect((await readAll(client, {})).texts).toHaveLength(5);
  });
});

describe('the calls that mlog adds', () => {
  test('give entries, a part of them, one by its id, and where the journal stands', async () => {
    const { client, logMessage } = await serveLogging();
    for (const n of [1, 2, 3, 4, 5]) await logMessage({ id: `id-${n}`, txt: `text ${n}` });
    const textsOf = async (wanted: object) => (await readAll(client, wanted)).texts;
    expect(await textsOf({})).toHaveLength(5);
    expect(await textsOf({ after: 1, limit: 2 })).toStrictEqual(['text 2', 'text 3']);
    expect(await textsOf({ last: 1 })).toStrictEqual(['text 5']);
    expect(await textsOf({ limit: 0 })).toStrictEqual([]);
    expect(await textsOf({ after: 3, limit: 1, follow: true })).toStrictEqual(['text 4']);
    expect(await readAll(client, { limit: 1, last: 1 })).toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    expect(await callOwn(client, 'Get', { id: 'id-2' })).toMatchObject({ seq: 2, txt: 'text 2' });
    await expect(callOwn(client, 'Get', { id: 'id-6' })).rejects.toThrow(refusal(status.NOT_FOUND));
    const head = await callOwn(client, 'GetHead', {});
    expect(head).toStrictEqual({
      journal: expect.stringMatching(/^[\da-f-]{36}$/),
      first_seq: 1,
      last_seq: 5,
    });
  });

  test('answer each group of a stream, and go on behind one that is refused', async () => {
    const { client } = await serveLogging();
    const stream = openAppend(client);
    const replies: AppendReply[] = [];
    stream.on('data', (reply: AppendReply) => replies.push(reply));
    stream.write({
      group: 7,
      messages: [
        { id: 'a', txt: 'x' },
        { id: 'b', txt: 'y' },
      ],
    });
    stream.write({
      group: 8,
      messages: [
        { id: 'c', txt: 'z' },
        { id: '', txt: 'z' },
      ],
    });
    stream.write({
      group: 9,
      messages: [
        { id: 'a', txt: 'x' },
        { id: 'a', txt: 'other' },
      ],
    });
    stream.end();
    expect((await endOf(stream)).code).toBe(status.OK);
    const byGroup = Object.fromEntries(replies.map((reply) => [reply.group, reply]));
    expect(byGroup[7]!.results.map((one) => one.status)).toStrictEqual(['LOGGED', 'LOGGED']);
    expect(byGroup[8]).toMatchObject({
      results: [],
      error: { status: status.INVALID_ARGUMENT, code: 'invalid_argument' },
    });
    expect(byGroup[9]!.results).toStrictEqual([
      { status: 'DUPLICATE', seq: 1 },
      { status: 'CONFLICT', seq: 1 },
    ]);
    expect((await readAll(client, {})).texts).toStrictEqual(['x', 'y']);
  });

  test('tell what is wrong with the bytes of a group under its number, and go on', async () => {
    const { client } = await serveLogging();
    const { path, responseDeserialize } = appendMethod;
    const stream = client.makeBidiStreamRequest<Buffer, AppendReply>(
      path,
      (bytes) => bytes,
      responseDeserialize as never,
    );
    const replies: AppendReply[] = [];
    stream.on('data', (reply: AppendReply) => replies.push(reply));
    stream.write(Buffer.from([0x08, 1, 0x12, 6, 0x0a, 1, 0x61, 0x12, 1, 0xff]));
    stream.write(Buffer.from([0x08, 2, 0x12, 9, 0x0a]));
    stream.write(Buffer.from([0x12, 6, 0x0a, 1, 0x62, 0x12, 1, 0xff, 0x08, 3]));
    stream.write(Buffer.from([0x08, 4, 0x12, 6, 0x0a, 1, 0x63, 0x12, 1, 0x78]));
    stream.end();
    expect((await endOf(stream)).code).toBe(status.OK);
    const failed = { status: status.INVALID_ARGUMENT, code: 'invalid_argument' };
    expect(replies.toSorted((a, b) => a.group - b.group)).toMatchObject([
      { group: 1, results: [], error: failed },
      { group: 2, results: [], error: failed },
      { group: 3, results: [], error: failed },
      { group: 4, results: [{ status: 'LOGGED', seq: 1 }] },
    ]);
    expect((await readAll(client, {})).texts).toStrictEqual(['x']);
  });

  test('tell a reader by the trailers what retention has removed', async () => {
    const { client, logMessage } = await serveLogging('--retain-messages', '2');
    for (const n of [1, 2, 3, 4, 5]) await logMessage({ id: `id-${n}`, txt: `text ${n}` });
    const isTrimmed = async () => (await readAll(client, { after: 0 })).code !== status.OK;
    await expect.poll(isTrimmed, { timeout: lineTimeoutMs }).toBe(true);
    const { code, metadata } = await readAll(client, { after: 0 });
    expect(code).toBe(status.OUT_OF_RANGE);
    expect(metadata).toMatchObject({ 'mlog-code': 'gone', 'mlog-first-seq': '4' });
    expect((await readAll(client, {})).texts).toStrictEqual(['text 4', 'text 5']);
  });
});

describe('what is not as it should be', () => {
  test.each<[string, string | Uint8Array]>([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['random bytes', Uint8Array.from({ length: 4_000 }, (_, n) => (n * 7_919) % 256)],
    ['a preface and then no frame', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\xff'.repeat(100)],
    ['half a preface', 'PRI * HTTP/2.0\r\n'],
  ])('on the port does no harm: %s', async (_, bytes) => {
    const { logging, logMessage } = await serveLogging();
    await rawRequest(grpcOf(logging).replace('grpc', 'http'), bytes);
    expect(await logMessage({ id: 'a', txt: 'x' })).toBe('Logged');
  });

  test('in a call is refused by a status, and the connection goes on', async () => {
    const { logging, client, logMessage } = await serveLogging();
    const log = '/LoggingService/LogMessage';
    const call = (path: string, bytes: number[]) => callBytes(client, path, Uint8Array.from(bytes));
    await expect(call('/LoggingService/Forget', [])).rejects.toThrow(refusal(status.UNIMPLEMENTED));
    await expect(call('/Other/LogMessage', [])).rejects.toThrow(refusal(status.UNIMPLEMENTED));
    for (const bytes of [
      [0xff],
      [0x0a, 0x09, 0x61],
      [0x08, 0x01],
      [0x0a, 1, 0xff, 0x12, 1, 0x61],
    ]) {
      await expect(call(log, bytes)).rejects.toThrow(refusal(status.INVALID_ARGUMENT));
    }
    expect(await logMessage({ id: 'a', txt: 'x' })).toBe('Logged');
    expect(await readEntries(logging.url)).toHaveLength(1);
  });

  test('a client that vanishes in the middle of a stream holds up nobody', async () => {
    const { logging, client, logMessage } = await serveLogging();
    await logMessage({ id: 'a', txt: 'x' });
    for (let n = 0; n < 5; n += 1) {
      const gone = openReferenceClient(grpcOf(logging));
      const stream = openRead(gone.client, { follow: true });
      stream.on('error', () => {});
      await once(stream, 'data');
      const append = openAppend(gone.client);
      append.on('error', () => {});
      append.write({ group: 1, messages: [{ id: `vanished-${n}`, txt: 'x' }] });
      await once(append, 'data');
      stream.cancel();
      gone.client.close();
    }
    expect((await readAll(client, {})).texts).toHaveLength(6);
    client.close();
    expect(await logging.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
  });
});

describe('a facade over gRPC', () => {
  test('answers to the letter', async () => {
    const { logging } = await serveLogging();
    const facade = await serveFacade(grpcOf(logging));
    expect(facade.ready).not.toHaveProperty('messages at');
    expect(await request(facade.url)).toMatchObject({ status: 200, text: '[]\n' });
    const made = await postForm(facade.url, { txt: 'Its me' });
    expect(made.status).toBe(200);
    expect(made.text).toMatch(/^\{"id":"[\da-f-]{36}","status":"Logged"\}\n$/);
    const fields = { id: 'one', txt: 'Ünïcode 🙂' };
    const text = '{"id":"one","status":"Logged"}\n';
    expect(await postForm(facade.url, fields)).toMatchObject({ status: 200, text });
    expect(await postForm(facade.url, fields)).toMatchObject({
      status: 200,
      text,
      headers: { 'idempotent-replayed': 'true' },
    });
    expect(await postForm(facade.url, { id: 'one', txt: 'other' })).toMatchObject({ status: 422 });
    const none = { status: 400, text: '"No message"\n' };
    expect(await postForm(facade.url, { id: 'two' })).toMatchObject(none);
    expect(await getText(facade.url)).toBe('["Its me","Ünïcode 🙂"]\n');
  });

  test('serves all else as over HTTP', async () => {
    const { logging } = await serveLogging();
    const facade = await serveFacade(grpcOf(logging));
    const post = (type: string, body: string) =>
      request(facade.url, { method: 'POST', headers: { 'content-type': type }, body });
    expect((await post('application/json', '{"id":"a","txt":"one"}')).text).toBe(
      '{"id":"a","txt":"one"}\n',
    );
    expect((await post('text/plain', 'two')).text).toMatch(/^\{"id":"[^"]+","txt":"two"\}\n$/);
    const lines = await post('application/x-ndjson', '{"id":"c","txt":"three"}\noops\n');
    expect(lines.text.split('\n')).toStrictEqual([
      '{"id":"c","seq":3,"status":"logged"}',
      expect.stringContaining('"line":2,"status":"refused"'),
      '',
    ]);
    expect(JSON.parse(await getText(`${facade.url}/?id=c`))).toMatchObject({ seq: 3 });
    expect(await request(`${facade.url}/?id=d`)).toMatchObject({ status: 404 });
    expect(await getText(`${facade.url}/?after=1&limit=1`)).toBe('["two"]\n');
    expect(await readEntries(logging.url)).toHaveLength(3);
    const ready = JSON.parse(await getText(`${facade.url}/readyz`)) as unknown;
    expect(ready).toMatchObject({ status: 'ready', dependencies: { logging: 'ok' } });
    const sent = await sandbox.run(['send', '--url', facade.url, '--id', 'e', 'four']);
    expect(sent).toMatchObject({ code: 0, stdout: 'e\n' });
    const listed = await sandbox.run(['list', '--url', facade.url, '--last', '2']);
    expect(listed).toMatchObject({ code: 0, stdout: 'three\nfour\n' });
  });

  test.each<[string, number]>([
    ['by the service', 100_000],
    ['by grpc-js, which ends the whole stream', 5_000_000],
  ])('refuses what is too large for the service at once: %s', async (_, size) => {
    const { logging } = await serveLogging(
      '--append-max-bytes',
      '65536',
      '--txt-max-bytes',
      '60000',
    );
    const large = ['--txt-max-bytes', '8000000', '--batch-max-bytes', '8000000'];
    const facade = await serveFacade(grpcOf(logging), ...large);
    const posts = Array.from({ length: 60 }, (__, n) =>
      postForm(facade.url, { id: `${n}`, txt: 'x'.repeat(n % 20 === 7 ? size : 5_000) }),
    );
    const statuses = (await Promise.all(posts)).map((reply) => reply.status);
    expect(statuses).toStrictEqual(statuses.map((__, n) => (n % 20 === 7 ? 413 : 200)));
    expect(await readEntries(logging.url)).toHaveLength(57);
    expect(facade.stderr()).not.toContain('"attempt":2');
  });

  test('answers while more of its readers are slow than a connection has calls', async () => {
    const { logging, logMessage } = await serveLogging();
    const txt = 'x'.repeat(500_000);
    for (let n = 0; n < 20; n += 1) await logMessage({ id: `${n}`, txt });
    const facade = await serveFacade(grpcOf(logging), '--attempt-timeout-ms', '3000');
    const { hostname, port } = new URL(facade.url);
    const begun = Array.from({ length: 230 }, async () => {
      const socket = connect(Number(port), hostname).on('error', () => {});
      sandbox.defer(() => socket.destroy());
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(socket, 'readable');
    });
    // The rest waits behind these, and may be cut before it has anything.
    void Promise.allSettled(begun);
    await Promise.all(begun.slice(0, 100));
    expect(await request(`${facade.url}/?id=7`)).toMatchObject({ status: 200 });
    expect(await postForm(facade.url, { id: 'more', txt: 'x' })).toMatchObject({ status: 200 });
  });

  test('finds a logging service again that is started anew, and its followers go on', async () => {
    const first = await sandbox.serve('logging');
    const url = grpcOf(first);
    const facade = await serveFacade(url, '--attempts-max', '40');
    const follower = await openEvents(facade.url);
    sandbox.defer(follower.close);
    await postForm(facade.url, { id: 'before', txt: 'x' });
    expect(await first.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
    const down = postForm(facade.url, { id: 'while it is down', txt: 'x' });
    await facade.waitForLine(({ msg }) => String(msg).startsWith('Attempt failed'), lineTimeoutMs);
    await sandbox.serve('logging', '--grpc-port', new URL(url).port);
    expect(await down).toMatchObject({ status: 200, text: /"Logged"/ });
    expect(await postForm(facade.url, { id: 'after', txt: 'x' })).toMatchObject({ status: 200 });
    await follower.waitFor(() => (follower.seqs().length === 3 ? true : undefined));
    expect(follower.seqs()).toStrictEqual([1, 2, 3]);
  });

  test('loses nothing and doubles nothing when the logging service is killed', async () => {
    const first = await sandbox.serve('logging');
    const url = grpcOf(first);
    const facade = await serveFacade(url, '--attempts-max', '60');
    const writers = startWriters(facade.url, 16);
    sandbox.defer(writers.stop);
    let logging = first;
    for (let n = 0; n < 3; n += 1) {
      await writers.progress(200);
      await logging.kill('SIGKILL');
      logging = await sandbox.serve('logging', '--grpc-port', new URL(url).port);
    }
    await writers.progress(200);
    await writers.stop();
    const stored = (await readEntries(logging.url)).map(({ id }) => id);
    expect(new Set(stored).size).toBe(stored.length);
    expect([...writers.acknowledged].filter((id) => !stored.includes(id))).toStrictEqual([]);
  });

  test('says that the outcome is unknown where nobody answers', async () => {
    const facade = await serveFacade('grpc://127.0.0.1:1', '--attempts-max', '2');
    const reply = await postForm(facade.url, { id: 'a', txt: 'x' });
    expect(reply.status).toBe(500);
    expect(JSON.parse(reply.text)).toMatchObject({
      id: 'a',
      error: expect.stringMatching(
        /^2 attempts to reach the service failed\. Nothing listens at grpc:\/\/127\.0\.0\.1:1\. \S.*unknown.*safe/,
      ) as string,
    });
    expect(await request(facade.url)).toMatchObject({ status: 500, text: /^\{"error":/ });
    expect(await request(`${facade.url}/readyz`)).toMatchObject({ status: 503 });
  });
});

describe('a facade over a server with the two calls of the reference alone', () => {
  test('sends one message a call and lists the texts', async () => {
    const server = await startReferenceServer();
    sandbox.defer(server.close);
    const facade = await serveFacade(server.url);
    const made = await postForm(facade.url, { txt: 'Its me' });
    expect(made.text).toMatch(/^\{"id":"[\da-f-]{36}","status":"Logged"\}\n$/);
    await Promise.all(
      Array.from({ length: 50 }, (_, n) => postForm(facade.url, { id: `${n}`, txt: `text ${n}` })),
    );
    expect(new Set(server.texts())).toHaveProperty('size', 51);
    expect(JSON.parse(await getText(facade.url))).toStrictEqual(server.texts());
    const entries = await request(facade.url, { headers: { accept: 'application/x-ndjson' } });
    expect(entries.status).toBe(501);
    expect(await request(`${facade.url}/readyz`)).toMatchObject({ status: 200 });
    const listed = await sandbox.run(['list', '--url', facade.url]);
    expect(listed.stdout.split('\n')).toHaveLength(52);
  });

  test('tries a call again whose reply was lost, and notices what comes in its place', async () => {
    const server = await startReferenceServer({
      onCall: (n) => (n === 1 ? { code: status.ABORTED, details: 'lost' } : undefined),
    });
    const facade = await serveFacade(server.url, '--attempts-max', '60');
    expect(await postForm(facade.url, { txt: 'Its me' })).toMatchObject({
      status: 200,
      text: /"Logged"/,
    });
    expect(server.calls.map(({ id }) => id)).toStrictEqual([
      server.calls[0]!.id,
      server.calls[0]!.id,
    ]);
    expect(server.texts()).toStrictEqual(['Its me']);
    server.close();
    const logging = await sandbox.serve('logging', '--grpc-port', new URL(server.url).port);
    expect(await postForm(facade.url, { id: 'a', txt: 'x' })).toMatchObject({ status: 200 });
    expect(await getText(`${facade.url}/?after=0`)).toBe('["x"]\n');
    await logging.kill();
    const again = await startReferenceServer({ port: Number(new URL(server.url).port) });
    sandbox.defer(again.close);
    expect(await postForm(facade.url, { id: 'b', txt: 'y' })).toMatchObject({ status: 200 });
    expect(again.texts()).toStrictEqual(['y']);
  });
});

test('a replica follows a service over gRPC', async () => {
  const { logging, logMessage } = await serveLogging();
  await logMessage({ id: 'a', txt: 'one' });
  const replica = await sandbox.serve('messages', '--follow', grpcOf(logging));
  const listed = () => getText(new URL('/messages', replica.url));
  await expect.poll(listed, { timeout: lineTimeoutMs }).toBe('["one"]\n');
  await logMessage({ id: 'b', txt: 'two' });
  await expect.poll(listed, { timeout: lineTimeoutMs }).toBe('["one","two"]\n');
});

describe('a stop', () => {
  test('answers the calls under way and ends the streams of those who follow', async () => {
    const { logging, client, logMessage } = await serveLogging();
    await logMessage({ id: 'first', txt: 'x' });
    const following = readAll(client, { follow: true });
    const append = openAppend(client);
    const appending = endOf(append);
    append.write({ group: 1, messages: [{ id: 'second', txt: 'x' }] });
    await once(append, 'data');
    const calls = Array.from({ length: 100 }, (_, n) => logMessage({ id: `${n}`, txt: 'x' }));
    const outcomes = Promise.allSettled(calls);
    await calls[0];
    const ended = logging.kill('SIGTERM');
    expect(await appending).toMatchObject({ code: status.UNAVAILABLE });
    expect(await following).toMatchObject({ code: status.UNAVAILABLE });
    expect(await ended).toStrictEqual({ code: 0, signal: null });
    const logged = (await outcomes).filter((one) => one.status === 'fulfilled');
    const again = await sandbox.serve('logging');
    expect((await readEntries(again.url)).length).toBe(logged.length + 2);
  });

  test('is not held up by connections that are quiet', async () => {
    const { logging } = await serveLogging();
    const { hostname, port } = new URL(grpcOf(logging).replace('grpc', 'http'));
    const socket = connect(Number(port), hostname).on('error', () => {});
    sandbox.defer(() => socket.destroy());
    await once(socket, 'connect');
    expect(await logging.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
  });
});

describe('the port of gRPC', () => {
  test('is refused like any other where somebody asked for it and it is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    sandbox.defer(() => taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const args = [
      'serve',
      'logging',
      '--port',
      '0',
      '--store',
      'memory:',
      '--grpc-port',
      `${port}`,
    ];
    expect(await sandbox.run(args)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^mlog: Port \d+ of 127\.0\.0\.1 is in use\. .*--grpc-port/m,
      ) as string,
    });
  });

  test('is left alone, with a warning, where nobody asked for it and it is in use', async () => {
    const taken = createServer().listen(50_051, '127.0.0.1');
    // If something else has the port, that will do as well.
    taken.on('error', () => {});
    sandbox.defer(() => taken.close());
    await Promise.race(
      [once(taken, 'listening'), once(taken, 'close')].map((one) => one.catch(() => {})),
    );
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    const logging = await sandbox.serve('logging', '--port', String(port));
    expect(logging.ready).not.toHaveProperty('grpc');
    expect(logging.stderr()).toContain('"No gRPC: port 50051 is in use. Choose a --grpc-port');
  });

  test('is not taken where it is 0', async () => {
    const logging = await sandbox.serve('logging', '--grpc-port', '0');
    expect(logging.ready).not.toHaveProperty('grpc');
  });
});

test('mlog send does not load what gRPC needs', async () => {
  const { facade } = await sandbox.serveAll();
  const hook = join(sandbox.folder, 'loaded.cjs');
  await writeFile(
    hook,
    `process.on('exit', () => {
      const loaded = Object.keys(require.cache).map((path) => require('path').basename(path));
      process.stderr.write(JSON.stringify(loaded));
    });`,
  );
  // Node splits its options at spaces, and the name of the folder has one.
  const env = { NODE_OPTIONS: `--require "${hook}"` };
  const sent = await sandbox.run(['send', '--url', facade.url, 'Its me'], { env });
  expect(sent).toMatchObject({ code: 0, stderr: '["loaded.cjs"]' });
});
