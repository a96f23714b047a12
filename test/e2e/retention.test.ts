import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { startFollower } from '../support/events.ts';
import { getText, postForm, request } from '../support/http.ts';
import { refusalOf } from '../support/refusal.ts';
import { openSandbox, type Sandbox, type Service } from '../support/sandbox.ts';
import { findFaults, readEntries, startWriters } from '../support/writers.ts';

// --retain-messages and --retain-age: removals are reported, and readers are not disturbed.

const waitMs = 15_000;
const ndjson = { accept: 'application/x-ndjson' };
const events = { accept: 'text/event-stream' };

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const log = async (service: Service, ...texts: string[]): Promise<void> => {
  const body = texts.map((txt) => `${JSON.stringify({ id: `id of ${txt}`, txt })}\n`).join('');
  const headers = { 'content-type': 'application/x-ndjson' };
  const url = new URL('/logging', service.url);
  expect(await request(url, { method: 'POST', headers, body })).toMatchObject({ status: 200 });
};

const numbered = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, index) => `text ${from + index}`);

/** Waits until the oldest entry that a service reports is this one. */
const firstSeqIs = (service: Service, firstSeq: number) =>
  vi.waitFor(
    async () => {
      const { headers } = await request(new URL('/logging?last=0', service.url));
      expect(headers['mlog-first-seq']).toBe(String(firstSeq));
    },
    { timeout: waitMs },
  );

/** Waits until an entry is gone. */
const isRemoved = (service: Service, id: string) =>
  vi.waitFor(
    async () => {
      const url = new URL('/logging', service.url);
      url.searchParams.set('id', id);
      expect(await request(url)).toMatchObject({ status: 404 });
    },
    { timeout: waitMs },
  );

describe('a service that keeps the newest so many', () => {
  let logging: Service;
  let facade: Service;
  beforeEach(async () => {
    logging = await sandbox.serve('logging', '--retain-messages', '10');
    const messages = await sandbox.serve('messages');
    const below = ['--logging', logging.url, '--messages', messages.url];
    facade = await sandbox.serve('facade', ...below);
    await log(logging, ...numbered(100));
    await firstSeqIs(logging, 91);
  });

  test('tells a position that is gone, and the first one there is, before anything else', async () => {
    for (const url of [new URL('/logging', logging.url), new URL(facade.url)]) {
      for (const headers of [{}, ndjson, events]) {
        for (const after of ['0', '5', '89']) {
          url.searchParams.set('after', after);
          const reply = await request(url, { headers });
          expect(refusalOf(reply)).toBe(410);
          expect(JSON.parse(reply.text)).toMatchObject({ status: 410, code: 'gone', firstSeq: 91 });
        }
        url.searchParams.set('after', '98');
        const limited = new URL(`${url.href}&limit=2`);
        const reply = await request(limited, { headers });
        expect(reply).toMatchObject({ status: 200 });
        expect(reply.headers).toMatchObject({ 'mlog-first-seq': '91', 'mlog-last-seq': '100' });
      }
      url.searchParams.delete('after');
      const resumed = await request(url, { headers: { ...events, 'last-event-id': '5' } });
      expect(refusalOf(resumed)).toBe(410);
    }
  });

  test('lists what it has to whoever names no position', async () => {
    const kept = numbered(10, 91);
    const list = `${JSON.stringify(kept)}\n`;
    expect(await getText(new URL('/logging', logging.url))).toBe(list);
    expect((JSON.parse(await getText(facade.url)) as string[])[0]).toBe(`logging-service: ${list}`);
    expect((await readEntries(logging.url)).map(({ seq }) => seq)).toStrictEqual(
      kept.map((_, index) => 91 + index),
    );
    for (const [query, seqs] of [
      ['?last=20', [91, 100]],
      ['?after=90&limit=1', [91, 91]],
      ['?limit=2', [91, 92]],
    ] as const) {
      const lines = (await getText(new URL(`/${query}`, facade.url), ndjson)).trimEnd().split('\n');
      const [first, last] = [lines.at(0)!, lines.at(-1)!].map((line) => JSON.parse(line) as object);
      expect([first, last]).toMatchObject([{ seq: seqs[0] }, { seq: seqs[1] }]);
    }
  });

  test('forgets a key with its message, and never uses a seq again', async () => {
    await isRemoved(logging, 'id of text 1');
    await log(logging, 'text 1', 'text 100');
    const entry = async (id: string) =>
      JSON.parse(await getText(new URL(`/?id=${id}`, facade.url))) as object;
    expect(await entry('id+of+text+1')).toMatchObject({ seq: 101, txt: 'text 1' });
    expect(await entry('id+of+text+100')).toMatchObject({ seq: 100 });
  });

  test('is backed up with what it has, and the copy is whole', async () => {
    const copy = join(sandbox.folder, 'copy.db');
    const backup = ['backup', copy, '--url', facade.url, '--json'];
    expect(JSON.parse((await sandbox.run(backup)).stdout)).toMatchObject({
      firstSeq: 91,
      lastSeq: 100,
      copied: 10,
    });
    await log(logging, ...numbered(5, 101));
    expect(JSON.parse((await sandbox.run(backup)).stdout)).toMatchObject({
      firstSeq: 91,
      lastSeq: 105,
      copied: 5,
    });
    const verify = await sandbox.run(['verify', '--store', `file:${copy}`, '--json']);
    expect(verify.code).toBe(0);
    expect(JSON.parse(verify.stdout)).toMatchObject({ problems: [] });
    const served = await sandbox.serve('logging', '--store', `file:${copy}`);
    expect(await readEntries(served.url)).toMatchObject(
      numbered(15, 91).map((txt, index) => ({ seq: 91 + index, txt })),
    );
    await served.kill('SIGTERM');

    // Nothing more can be copied into a copy that is too far behind.
    await log(logging, ...numbered(50, 200));
    await firstSeqIs(logging, 146);
    const late = await sandbox.run(backup);
    expect(late).toMatchObject({ code: 6, stdout: '' });
    expect(late.stderr).toContain('seq 146');
  });

  test('goes on with the next seq after a start', async () => {
    await isRemoved(logging, 'id of text 90');
    await logging.kill();
    const again = await sandbox.serve('logging', '--retain-messages', '1');
    await firstSeqIs(again, 100);
    await isRemoved(again, 'id of text 99');
    await again.kill('SIGTERM');
    const verify = await sandbox.run(['verify', '--store', sandbox.store]);
    expect(verify).toMatchObject({ code: 0, stdout: expect.stringMatching(/^whole: 1 message/) });
    const last = await sandbox.serve('logging');
    await log(last, 'next');
    expect(await readEntries(last.url)).toMatchObject([{ seq: 100 }, { seq: 101, txt: 'next' }]);
  });
});

test('messages go when they are too old, and the newest one stays', async () => {
  const { facade, logging } = await sandbox.serveAll('--retain-age', '500ms');
  await log(logging, 'one', 'two', 'three');
  await firstSeqIs(logging, 3);
  await isRemoved(logging, 'id of two');
  expect(await getText(new URL('/logging', logging.url))).toBe('["three"]\n');
  await log(logging, 'four');
  await firstSeqIs(logging, 4);
  expect(refusalOf(await request(new URL('/?after=2', facade.url), { headers: events }))).toBe(410);
  expect((JSON.parse(await getText(facade.url)) as string[])[0]).toBe(
    'logging-service: ["four"]\n',
  );
});

test('nobody who reads or follows is disturbed while the oldest are removed', async () => {
  const { facade, logging } = await sandbox.serveAll('--retain-messages', '50');
  const writers = startWriters(facade.url, 4);
  sandbox.defer(writers.stop);
  const follower = startFollower(facade.url, 'Last-Event-ID');
  sandbox.defer(follower.close);
  await follower.reach(1);
  let reads = 0;
  let first = 1;
  while (first < 500) {
    const entries = await readEntries(logging.url);
    first = entries[0]?.seq ?? first;
    // Without a gap, and without an entry that nobody sent.
    const moved = entries.map((entry) => ({ ...entry, seq: entry.seq - first + 1 }));
    expect(findFaults(moved, { ...writers, acknowledged: new Set() })).toStrictEqual([]);
    expect(entries.length).toBeGreaterThanOrEqual(reads > 0 ? 50 : 0);
    if (entries.length >= 50) reads += 1;
  }
  await writers.stop();
  const { seq: lastSeq } = (await readEntries(logging.url)).at(-1)!;
  await follower.reach(lastSeq);
  expect(findFaults(follower.entries, writers)).toStrictEqual([]);
  expect(follower.oddities).toStrictEqual([]);
  expect(follower.connections()).toBe(1);
});

describe('settings', () => {
  test.each([
    ['--retain-messages', '5'],
    ['--retain-age', '1d'],
  ])('%s is refused where messages are kept in memory', async (...flag) => {
    for (const role of [['logging'], []]) {
      const run = await sandbox.run(['serve', ...role, '--store', 'memory:', ...flag]);
      expect(run).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/^mlog: [^\n]*--retain-messages[^\n]*--retain-age[^\n]*\n$/),
      });
    }
  });

  test.each(['7', '7 d', '1.5h', '-1d', '1w', ''])('%j is no duration', async (given) => {
    const run = await sandbox.run(['serve', '--retain-age', given]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(
      /^mlog: --retain-age is [^\n]+ such as 7d\. See `mlog serve --help`\.\n$/,
    );
    if (given === '') return; // An empty variable counts as not set.
    const fromVariable = await sandbox.run(['serve'], { env: { MLOG_RETAIN_AGE: given } });
    expect(fromVariable).toMatchObject({ code: 2, stdout: '' });
    expect(fromVariable.stderr).toContain(`MLOG_RETAIN_AGE is ${JSON.stringify(given)}.`);
  });

  test('everything is kept by default, and with 0', async () => {
    const logging = await sandbox.serve('logging', '--retain-messages', '0', '--retain-age', '0');
    await log(logging, ...numbered(3));
    const reply = await postForm(new URL('/logging', logging.url), { id: 'last', txt: 'text 4' });
    expect(reply).toMatchObject({ status: 201 });
    expect(await readEntries(logging.url)).toHaveLength(4);
  });
});
