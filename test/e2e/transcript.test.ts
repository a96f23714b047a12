import { beforeEach, describe, expect, test } from 'vitest';
import { getText, postForm, request } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';

// A transcript of the reference, replayed: the same requests, the same bytes back.

const notImplemented = 'Message-service not implemented yet';
const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const lineTimeoutMs = 5000;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const post = async (facade: Service, txt: string): Promise<string> => {
  const reply = await postForm(facade.url, { txt });
  const { id } = JSON.parse(reply.text) as { id: string };
  expect(reply).toMatchObject({
    status: 200,
    text: `{"id":"${id}","txt":${JSON.stringify(txt)}}\n`,
  });
  expect(reply.headers['content-type']).toBe('application/json');
  return id;
};

const said = (service: Service, msg: string) =>
  service.waitForLine((line) => line['msg'] === msg, lineTimeoutMs);

describe.each([
  ['three processes', () => sandbox.serveApart()],
  ['one process', () => sandbox.serveAll()],
])('the reference transcript on %s', (_, serve) => {
  test('answers three posts and lists them to the byte', async () => {
    const { facade, logging } = await serve();
    const ids = [
      await post(facade, 'Its me'),
      await post(facade, 'Hello'),
      await post(facade, 'a "quoted" \\ line\nand more'),
    ];
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(uuid);

    const logged = String.raw`["Its me","Hello","a \"quoted\" \\ line\nand more"]` + '\n';
    expect(await getText(new URL('/logging', logging.url))).toBe(logged);
    const list = await request(facade.url);
    expect(list.headers['content-type']).toBe('application/json');
    expect(list.text).toBe(
      String.raw`["logging-service: [\"Its me\",\"Hello\",\"a \\\"quoted\\\" \\\\ line\\nand more\"]\n",` +
        `"message-service: ${notImplemented}"]\n`,
    );
    await Promise.all([said(logging, 'Message: Its me'), said(logging, 'Message: Hello')]);
  });

  test('lists nothing before the first post', async () => {
    const { facade, logging } = await serve();
    expect(await getText(new URL('/logging', logging.url))).toBe('[]\n');
    expect(await getText(facade.url)).toBe(
      String.raw`["logging-service: []\n","message-service: ${notImplemented}"]` + '\n',
    );
  });

  test('logs one id once and says so of each repeat', async () => {
    const { logging } = await serve();
    const url = new URL('/logging', logging.url);
    const replies = [];
    for (const txt of ['Its me', 'Its me', 'another text']) {
      replies.push(await postForm(url, { id: 'one', txt }));
    }
    expect(replies.map(({ status, text }) => [status, text])).toStrictEqual([
      [201, '"Message logged"\n'],
      [200, '"Duplicate detected"\n'],
      [200, '"Duplicate detected"\n'],
    ]);
    expect(await getText(url)).toBe('["Its me"]\n');
    await said(logging, 'Message: Its me');
    await said(logging, 'Duplicate message detected: one');
  });

  test('refuses a message without its fields', async () => {
    const { facade, logging } = await serve();
    const url = new URL('/logging', logging.url);
    for (const fields of [{}, { id: 'one' }, { txt: 'Its me' }, { id: '', txt: '' }]) {
      const reply = await postForm(url, fields);
      expect(reply).toMatchObject({ status: 400, text: '"No id or text"\n' });
    }
    for (const fields of [{}, { txt: '' }, { text: 'Its me' }]) {
      const reply = await postForm(facade.url, fields);
      expect(reply).toMatchObject({ status: 400, text: '"No message"\n' });
    }
    const bare = await request(facade.url, { method: 'POST' });
    expect(bare).toMatchObject({ status: 400, text: '"No message"\n' });
    expect(await getText(url)).toBe('[]\n');
  });

  test('has a messages service that says what it is', async () => {
    const { messages } = await serve();
    const url = new URL('/messages', messages.url);
    const reply = await request(url);
    expect(reply).toMatchObject({ status: 200, text: notImplemented });
    expect(reply.headers['content-type']).toMatch(/^text\/\w+; charset=utf-8$/);
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const refused = await request(url, { method });
      expect(refused).toMatchObject({ status: 405, text: '"Method not allowed"\n' });
    }
  });
});

describe('a logging service that is away', () => {
  test('is tried three times two seconds apart, then the client is told so', async () => {
    const { facade, logging } = await sandbox.serveApart();
    await post(facade, 'before');
    await logging.kill('SIGTERM');

    const failed = await postForm(facade.url, { txt: 'Its me' });
    expect(failed.status).toBe(500);
    const { error, id, ...others } = JSON.parse(failed.text) as Record<string, string>;
    expect(others).toStrictEqual({});
    expect(id).toMatch(uuid);
    expect(error).toMatch(/unknown.*safe/);

    await facade.waitForLine((line) => line['attempt'] === 3, 5_000);
    const attempts = facade.lines().filter((line) => line['attempt'] !== undefined);
    expect(attempts.map(({ level, attempt }) => [level, attempt])).toStrictEqual([
      ['warn', 1],
      ['warn', 2],
      ['warn', 3],
    ]);
    const times = attempts.map(({ time }) => Date.parse(String(time)));
    for (const gapMs of [times[1]! - times[0]!, times[2]! - times[1]!]) {
      expect(Math.abs(gapMs - 2000)).toBeLessThan(300);
    }

    const list = await request(facade.url);
    expect(list.status).toBe(500);
    expect(JSON.parse(list.text)).toStrictEqual({ error: expect.stringMatching(/./) });

    await sandbox.serve('logging', '--port', portOf(logging.url));
    for (const replayed of [undefined, 'true']) {
      const again = await postForm(facade.url, { id: id!, txt: 'Its me' });
      expect(again).toMatchObject({ status: 200, text: `{"id":"${id}","txt":"Its me"}\n` });
      expect(again.headers['idempotent-replayed']).toBe(replayed);
    }
    await post(facade, 'after');
    expect(await getText(facade.url)).toBe(
      String.raw`["logging-service: [\"before\",\"Its me\",\"after\"]\n",` +
        `"message-service: ${notImplemented}"]\n`,
    );
  });

  test('is found again by a request that was waiting for it', async () => {
    const { facade, logging } = await sandbox.serveApart();
    await logging.kill('SIGTERM');
    const waiting = postForm(facade.url, { txt: 'Its me' });
    await facade.waitForLine((line) => line['attempt'] === 1, lineTimeoutMs);
    const back = await sandbox.serve('logging', '--port', portOf(logging.url));
    expect(await waiting).toMatchObject({ status: 200 });
    expect(await getText(new URL('/logging', back.url))).toBe('["Its me"]\n');
  });

  test('makes the list fail, and so does a messages service that is away', async () => {
    const { facade, messages } = await sandbox.serveApart();
    await post(facade, 'Its me');
    await messages.kill('SIGTERM');
    const list = await request(facade.url);
    expect(list.status).toBe(500);
    expect(JSON.parse(list.text)).toStrictEqual({ error: expect.stringMatching(/./) });
    await post(facade, 'Sending goes on');
  });
});
