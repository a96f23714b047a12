import { beforeEach, expect, test } from 'vitest';
import { postForm } from '../support/http.ts';
import { type Faults, type Proxy, startProxy } from '../support/proxy.ts';
import { openSandbox, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// A network between facade and logging that loses the reply after the commit.

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

type Path = { logging: Service; proxy: Proxy; facade: Service };

const serveThrough = async (faults: Partial<Faults>, ...args: string[]): Promise<Path> => {
  const logging = await sandbox.serve('logging');
  const messages = await sandbox.serve('messages');
  const proxy = await startProxy(logging.url, faults);
  sandbox.defer(proxy.close);
  const below = ['--logging', proxy.url, '--messages', messages.url];
  const facade = await sandbox.serve('facade', ...below, '--retry-delay-ms', '20', ...args);
  return { logging, proxy, facade };
};

test('a message is stored once when its first reply is lost', async () => {
  let replies = 0;
  // The very first reply tells the facade which logging service it has.
  const dropReply = (): boolean => (replies += 1) === 2;
  const { logging, facade } = await serveThrough({ dropReply });

  const reply = await postForm(facade.url, { id: 'one', txt: 'Its me' });
  expect(reply).toMatchObject({ status: 200, text: '{"id":"one","txt":"Its me"}\n' });
  expect(replies).toBeGreaterThan(2);
  expect(await readEntries(logging.url)).toMatchObject([{ seq: 1, id: 'one', txt: 'Its me' }]);
  // The reply was lost after the commit, so the second attempt found the message.
  await logging.waitForLine((line) => line['msg'] === 'Duplicate message detected: one', 5000);
});

test('a message is answered honestly when every reply is lost', async () => {
  const { logging, proxy, facade } = await serveThrough({});
  expect(await postForm(facade.url, { txt: 'before' })).toMatchObject({ status: 200 });
  proxy.faults.dropReply = () => true;
  const failed = await postForm(facade.url, { id: 'one', txt: 'Its me' });
  expect(failed.status).toBe(500);
  expect(JSON.parse(failed.text)).toStrictEqual({
    error: expect.stringMatching(/unknown/),
    id: 'one',
  });
  proxy.faults.dropReply = () => false;
  const again = await postForm(facade.url, { id: 'one', txt: 'Its me' });
  expect(again).toMatchObject({ status: 200, text: '{"id":"one","txt":"Its me"}\n' });
  expect(await readEntries(logging.url)).toMatchObject([{ txt: 'before' }, { id: 'one' }]);
});

test('of 200 messages at once none is lost or doubled when three replies in ten are', async () => {
  let replies = 0;
  let dropped = 0;
  const dropReply = (): boolean => {
    replies += 1;
    const isDropped = [2, 5, 9].includes(replies % 10);
    if (isDropped) dropped += 1;
    return isDropped;
  };
  // Small batches, for many replies, and enough attempts that bad luck fails nothing.
  const many = ['--batch-max-count', '4', '--attempts-max', '50'];
  const { logging, facade } = await serveThrough({ dropReply }, ...many);

  const ids = Array.from({ length: 200 }, (_, index) => `id-${index}`);
  const replied = await Promise.all(ids.map((id) => postForm(facade.url, { id, txt: `of ${id}` })));
  expect(replied.filter(({ status }) => status !== 200)).toStrictEqual([]);
  expect(replied.map(({ text }) => text)).toStrictEqual(
    ids.map((id) => `{"id":"${id}","txt":"of ${id}"}\n`),
  );
  expect(dropped).toBeGreaterThan(10);
  const entries = await readEntries(logging.url);
  expect(entries.map(({ id }) => id).toSorted()).toStrictEqual(ids.toSorted());
  expect(entries.filter(({ id, txt }) => txt !== `of ${id}`)).toStrictEqual([]);
});

test('messages get through a network that is slow and resets connections', async () => {
  let connections = 0;
  const resetConnection = (): boolean => (connections += 1) % 3 === 0;
  const { logging, facade } = await serveThrough(
    { delayMs: 30, resetConnection, dropReply: () => Math.random() < 0.2 },
    '--batch-max-count',
    '4',
    '--attempts-max',
    '50',
  );
  const ids = Array.from({ length: 40 }, (_, index) => `id-${index}`);
  const replied = await Promise.all(ids.map((id) => postForm(facade.url, { id, txt: `of ${id}` })));
  expect(replied.filter(({ status }) => status !== 200)).toStrictEqual([]);
  const entries = await readEntries(logging.url);
  expect(entries.map(({ id }) => id).toSorted()).toStrictEqual(ids.toSorted());
});

test('a message is stored once when the logging service stands still for a while', async () => {
  const { logging, facade } = await serveThrough({}, '--attempt-timeout-ms', '1000');
  await postForm(facade.url, { id: 'first', txt: 'Hello' });
  process.kill(logging.pid, 'SIGSTOP');
  const waiting = postForm(facade.url, { id: 'one', txt: 'Its me' });
  await facade.waitForLine((line) => line['attempt'] === 1, 5000);
  process.kill(logging.pid, 'SIGCONT');
  expect(await waiting).toMatchObject({ status: 200, text: '{"id":"one","txt":"Its me"}\n' });
  expect(await readEntries(logging.url)).toMatchObject([{ id: 'first' }, { id: 'one' }]);
});
