import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test, vi } from 'vitest';
import { type Child, startChild } from '../support/child.ts';
import { openEvents } from '../support/events.ts';
import { request } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';

// A journal that replaces another one is noticed, even if it is longer.

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const waitMs = 15_000;
const ndjson = 'application/x-ndjson';

let sandbox: Sandbox;
let logging: Service;
let facade: Service;
let cursor: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  cursor = join(sandbox.folder, 'mlog.cursor');
  logging = await serveStore('mine.db');
  await send('mine', 5);
  await logging.kill('SIGTERM');
  await copyFile(pathOf('mine.db'), pathOf('early.db'));
  logging = await serveStore('mine.db', portOf(logging.url));
  await send('later', 5);
  facade = await sandbox.serve('facade', '--logging', logging.url);
  return () => sandbox.close();
});

const pathOf = (name: string) => join(sandbox.folder, name);

const serveStore = (name: string, port = '0'): Promise<Service> =>
  sandbox.serve('logging', '--store', `file:${pathOf(name)}`, '--port', port);

const send = async (prefix: string, count: number, to = logging): Promise<void> => {
  const lines = Array.from({ length: count }, (_, n) => ({ id: `${prefix}-${n}`, txt: prefix }));
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const headers = { 'content-type': ndjson };
  const reply = await request(new URL('/logging', to.url), { method: 'POST', headers, body });
  expect(reply).toMatchObject({ status: 200 });
};

const startFollowing = async (): Promise<Child> => {
  const args = ['list', '-f', '--json', '--cursor', cursor, '--url', facade.url];
  const list = await startChild(process.execPath, [programPath, ...args], {
    env: { ...sandbox.env, PATH: process.env['PATH'] },
  });
  sandbox.defer(() => list.kill());
  await list.waitFor(() => (list.stdout().split('\n').length === 11 ? true : undefined), waitMs);
  return list;
};

/** Replaces the first store with another one that has more entries. */
const swaps = {
  async another() {
    const other = await serveStore('other.db');
    await send('other', 20, other);
    await other.kill('SIGTERM');
    await logging.kill('SIGTERM');
    logging = await serveStore('other.db', portOf(logging.url));
  },
  async restored() {
    await logging.kill('SIGTERM');
    await copyFile(pathOf('early.db'), pathOf('mine.db'));
    logging = await serveStore('mine.db', portOf(logging.url));
    await send('grown', 20);
  },
};

test.each([
  ['another journal', 'another'],
  ['an older copy of the file, which keeps its id,', 'restored'],
] as const)('%s that is longer is not taken for the one that was read', async (_, swap) => {
  const replica = await sandbox.serve('messages', '--follow', logging.url);
  const copied = () =>
    request(new URL('/messages', replica.url), { headers: { accept: ndjson } }).then(
      ({ text }) => text.split('\n').length - 1,
    );
  await vi.waitFor(async () => expect(await copied()).toBe(10), { timeout: waitMs });
  const backup = ['backup', 'copy.db', '--url', facade.url];
  expect(await sandbox.run(backup)).toMatchObject({ code: 0 });
  const list = await startFollowing();
  const stream = await openEvents(new URL('/?after=8', facade.url));
  await stream.waitFor(() => stream.seqs()[1]);

  await swaps[swap]();
  // A follower on the command line, one of events, a replica and a backup.
  expect(await list.exited).toMatchObject({ code: 6 });
  expect(list.stdout()).not.toMatch(/other|grown/);
  expect(await stream.ended).toBe(true);
  expect(stream.blocks.at(-1)).toMatchObject({ event: 'gone' });
  expect(JSON.parse(stream.blocks.at(-1)!.data!)).toMatchObject({ status: 410, code: 'gone' });
  expect(stream.seqs()).toStrictEqual([9, 10]);
  const said = await replica.waitForLine(({ level }) => level === 'error', waitMs);
  expect(said['msg']).toContain('another journal');
  expect(await copied()).toBe(10);
  expect(await sandbox.run(backup)).toMatchObject({ code: 5 });
  // A cursor file holds the id of its journal, but no entry.
  const kept = await readFile(cursor, 'utf8');
  if (swap === 'another') {
    const run = await sandbox.run(['list', '--cursor', cursor, '--url', facade.url]);
    expect(run).toMatchObject({ code: 6, stdout: '' });
  }
  expect(await readFile(cursor, 'utf8')).toBe(kept);
});

const idOf = ({ headers }: { headers: Record<string, unknown> }) => headers['mlog-journal'];

test('every answer of a list tells the journal, and one that asks for another is answered 410', async () => {
  const head = await request(new URL('/logging', logging.url), { method: 'HEAD' });
  const id = String(idOf(head));
  expect(id).toMatch(/^[\da-f-]{36}$/);
  const replica = await sandbox.serve('messages', '--follow', logging.url);
  await vi.waitFor(
    async () =>
      expect(await request(new URL('/readyz', replica.url))).toMatchObject({ status: 200 }),
    { timeout: waitMs },
  );
  const targets = [
    new URL('/logging', logging.url),
    new URL('/', facade.url),
    new URL('/messages', replica.url),
  ];
  const other = '00000000-0000-4000-8000-000000000000';
  for (const target of targets) {
    for (const query of ['after=9', 'last=1', 'id=later-4', 'limit=1']) {
      const url = new URL(`?${query}`, target);
      for (const method of ['GET', 'HEAD']) {
        expect(idOf(await request(url, { method })), url.href).toBe(id);
      }
      url.searchParams.set('journal', id);
      expect(await request(url)).toMatchObject({ status: 200 });
      url.searchParams.set('journal', other);
      const gone = await request(url);
      expect(gone).toMatchObject({ status: 410 });
      expect(JSON.parse(gone.text)).toMatchObject({ code: 'gone', journal: id, lastSeq: 10 });
    }
    const events = await openEvents(new URL(`?after=9&journal=${id}`, target));
    await events.waitFor(() => events.seqs()[0]);
    expect(events.headers['mlog-journal']).toBe(id);
    events.close();
    const gone = await openEvents(new URL(`?after=9&journal=${other}`, target));
    expect(gone.status).toBe(410);
  }
});

test('a position that the journal never had is answered 410 in each form', async () => {
  for (const accept of ['application/json', ndjson, 'text/event-stream']) {
    for (const target of [new URL('/logging', logging.url), new URL('/', facade.url)]) {
      const reply = await request(new URL('?after=11', target), { headers: { accept } });
      expect(reply).toMatchObject({ status: 410 });
      expect(JSON.parse(reply.text)).toMatchObject({ code: 'gone', firstSeq: 1, lastSeq: 10 });
    }
  }
});

test('a replica that is behind has a position of its original, and no other one', async () => {
  const replica = await sandbox.serve('messages', '--follow', logging.url);
  const at = (after: number) =>
    request(new URL(`/messages?after=${after}`, replica.url), { headers: { accept: ndjson } });
  await vi.waitFor(async () => expect(await at(10)).toMatchObject({ status: 200 }), {
    timeout: waitMs,
  });
  expect(await at(11)).toMatchObject({ status: 410 });
  // While the original is away, nobody knows how far it went.
  await logging.kill('SIGTERM');
  expect(await at(11)).toMatchObject({ status: 200, text: '' });
});

test('a cursor that holds a number alone goes on, and from then on knows its journal', async () => {
  await writeFile(cursor, '10\n');
  const args = ['list', '--cursor', cursor, '--url', facade.url];
  expect(await sandbox.run(args)).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(await readFile(cursor, 'utf8')).toMatch(/^10 [\da-f-]{36}\n$/);
  await send('next', 1);
  expect(await sandbox.run(args)).toMatchObject({ code: 0, stdout: 'next\n' });
  expect(await readFile(cursor, 'utf8')).toMatch(/^11 [\da-f-]{36}\n$/);
});
