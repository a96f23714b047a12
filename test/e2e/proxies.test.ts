import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startChild } from '../support/child.ts';
import { openEvents, startFollower } from '../support/events.ts';
import { postForm, request } from '../support/http.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import {
  proxyMissing,
  type ProxyName,
  proxyNames,
  type ProxyServer,
  startProxyServer,
} from '../support/proxy-server.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries, type StoredEntry } from '../support/writers.ts';

// Real proxies with their defaults, one in front of the facade and one in front of the logging
// service. Behind each is one of ours, which cuts replies.

const programPath = join(import.meta.dirname, '../../bin/mlog.js');
// More than one bulk request holds.
const linesCount = 10_500;
const soonMs = 3000;
const lively = ['--heartbeat-ms', '200'];
const patience = [...lively, '--retry-delay-ms', '50'];

/** Everything between a client and the store. */
type Chain = {
  sandbox: Sandbox;
  url: string;
  front: ProxyServer;
  frontCut: Proxy;
  facade: Service;
  back: ProxyServer;
  backCut: Proxy;
  logging: Service;
  env: NodeJS.ProcessEnv;
};

const openChain = async (name: ProxyName): Promise<Chain> => {
  const sandbox = await openSandbox();
  const keep = async <T extends { close: () => Promise<void> }>(opening: Promise<T>) => {
    const opened = await opening;
    sandbox.defer(opened.close);
    return opened;
  };
  const logging = await sandbox.serve('logging', ...lively);
  const backCut = await keep(startProxy(logging.url));
  const back = await keep(startProxyServer(name, backCut.url));
  const facade = await sandbox.serve('facade', '--logging', back.url, ...patience);
  const frontCut = await keep(startProxy(facade.url));
  const front = await keep(startProxyServer(name, frontCut.url));
  const { url } = front;
  return {
    sandbox,
    url,
    front,
    frontCut,
    facade,
    back,
    backCut,
    logging,
    env: { MLOG_URL: url, MLOG_RETRY_DELAY_MS: '50' },
  };
};

const toEntries = (ndjson: string): StoredEntry[] =>
  ndjson
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEntry);

describe.each(proxyNames)('behind %s', (name) => {
  const missing = proxyMissing(name);
  let chain: Chain;
  beforeAll(async () => {
    if (!missing) chain = await openChain(name);
  });
  afterAll(() => chain?.sandbox.close());
  beforeEach(({ skip }) => {
    if (missing && process.env['CI']) throw new Error(missing);
    skip(missing !== undefined, missing);
  });

  test('a message is sent and listed, and nothing of it is kept by a cache', async () => {
    const { sandbox, env, url } = chain;
    const run = await sandbox.run(['send', '--id', 'first', 'Its me'], { env });
    expect(run).toMatchObject({ code: 0, stdout: 'first\n' });
    expect(await sandbox.run(['list'], { env })).toMatchObject({ code: 0, stdout: 'Its me\n' });
    const posted = await postForm(url, { txt: 'by form' });
    expect(posted).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    const listed = await request(url, { headers: { accept: 'application/x-ndjson' } });
    expect(listed).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(toEntries(listed.text).map(({ txt }) => txt)).toStrictEqual(['Its me', 'by form']);
  });

  test(`${linesCount} lines are stored in order by mlog send --lines`, async () => {
    const { sandbox, env, logging } = chain;
    const before = (await readEntries(logging.url)).length;
    const texts = Array.from({ length: linesCount }, (_, n) => `line ${n} of a file`);
    const input = `${texts.join('\n')}\n`;
    expect(await sandbox.run(['send', '--lines'], { env, input })).toMatchObject({ code: 0 });
    const stored = (await readEntries(logging.url)).slice(before);
    expect(stored.map(({ txt }) => txt)).toStrictEqual(texts);
  });

  test(`${linesCount} lines are stored by one request`, async () => {
    const { url, logging } = chain;
    const before = (await readEntries(logging.url)).length;
    const lines = Array.from({ length: linesCount }, (_, n) => JSON.stringify({ txt: `${n}` }));
    const reply = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${lines.join('\n')}\n`,
    });
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    const results = reply.text.trimEnd().split('\n');
    expect(results).toHaveLength(linesCount);
    expect(results.filter((line) => !line.includes('"status":"logged"'))).toStrictEqual([]);
    expect(await readEntries(logging.url)).toHaveLength(before + linesCount);
  });

  test('a list comes whole, whatever its form', async () => {
    const { sandbox, env, url, logging } = chain;
    const entries = await readEntries(logging.url);
    const run = await sandbox.run(['list', '--json'], { env });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(toEntries(run.stdout)).toStrictEqual(entries);
    expect(await readEntries(url, '/')).toStrictEqual(entries);
  });

  test('an event comes as soon as its message is stored', async () => {
    const { url, logging } = chain;
    const lastSeq = (await readEntries(logging.url)).length;
    const stream = await openEvents(url, { 'last-event-id': String(lastSeq) });
    try {
      expect(stream).toMatchObject({ status: 200 });
      for (let count = 1; count <= 3; count += 1) {
        await postForm(url, { txt: `event ${count}` });
        await stream.waitFor(() => stream.seqs()[count - 1], soonMs);
      }
      expect(stream.seqs()).toStrictEqual([lastSeq + 1, lastSeq + 2, lastSeq + 3]);
    } finally {
      stream.close();
    }
  });

  test('followers resume when either proxy is started again, and get each entry once', async () => {
    const { sandbox, env, url, front, back, logging } = chain;
    const before = await readEntries(logging.url);
    const lastSeq = before.length;
    const followers = (['after', 'Last-Event-ID'] as const).map((by) =>
      startFollower(new URL(`/?last=1`, url), by),
    );
    const listing = await startChild(
      process.execPath,
      [programPath, 'list', '--json', '-f', '--after', String(lastSeq)],
      { env: { ...sandbox.env, ...env, PATH: process.env['PATH'] } },
    );
    try {
      let sent = 0;
      const sendAndReceive = async (): Promise<void> => {
        sent += 1;
        expect(await postForm(url, { txt: `resumed ${sent}` })).toMatchObject({ status: 200 });
        for (const follower of followers) await follower.reach(lastSeq + sent);
        await listing.waitFor(
          () => listing.stdout().includes(`"resumed ${sent}"`) || undefined,
          20_000,
        );
      };
      await sendAndReceive();
      await front.restart();
      await sendAndReceive();
      await back.restart();
      await sendAndReceive();
      const entries = (await readEntries(logging.url)).slice(lastSeq);
      expect(toEntries(listing.stdout())).toStrictEqual(entries);
      for (const { entries: followed, oddities } of followers) {
        expect(oddities).toStrictEqual([]);
        expect(followed.slice(-sent)).toStrictEqual(entries);
        const seqs = followed.map(({ seq }) => seq);
        expect(seqs).toStrictEqual(seqs.map((_, index) => seqs[0]! + index));
      }
    } finally {
      await listing.kill();
      for (const follower of followers) await follower.close();
    }
  });

  test('a list that is cut on its way is resumed or fails, and is never taken for whole', async () => {
    const { sandbox, env, url, frontCut, backCut, logging } = chain;
    const entries = await readEntries(logging.url);
    for (const [cutting, bytes] of [
      [frontCut, 700],
      [frontCut, 200_000],
      [backCut, 200_000],
    ] as const) {
      let cuts = 1;
      cutting.faults.cutsBehindLine = true;
      cutting.faults.replyMaxBytes = () => (cuts-- > 0 ? bytes : Infinity);
      const run = await sandbox.run(['list', '--json'], { env });
      expect(run.code === 0 ? toEntries(run.stdout) : entries).toStrictEqual(entries);

      cuts = 1;
      const listed = await request(url, { headers: { accept: 'application/x-ndjson' } }).catch(
        () => undefined,
      );
      cutting.faults.replyMaxBytes = () => Infinity;
      if (listed?.status !== 200) continue;
      // What a client of HTTP/1.0 cannot see in the body, the head tells.
      const complete = toEntries(listed.text.slice(0, listed.text.lastIndexOf('\n') + 1));
      const isWhole = complete.at(-1)?.seq === Number(listed.headers['mlog-last-seq']);
      expect(isWhole ? complete : entries).toStrictEqual(entries);
    }
  });

  test('a backup that is cut on its way is resumed or fails', async () => {
    const { sandbox, env, frontCut, logging } = chain;
    const { length } = await readEntries(logging.url);
    let cuts = 1;
    frontCut.faults.replyMaxBytes = () => (cuts-- > 0 ? 100_000 : Infinity);
    const path = join(sandbox.folder, 'backup.db');
    const run = await sandbox.run(['backup', path], { env });
    frontCut.faults.replyMaxBytes = () => Infinity;
    if (run.code !== 0) return;
    const verified = await sandbox.run(['verify', '--store', `file:${path}`]);
    expect(verified.code).toBe(0);
    expect(verified.stdout.replaceAll(',', '')).toContain(String(length));
    expect((await readFile(path)).length).toBeGreaterThan(0);
  });

  test('a message whose reply is cut is stored once', async () => {
    const { sandbox, env, frontCut, backCut, logging } = chain;
    for (const cutting of [frontCut, backCut]) {
      for (const bytes of [0, 40]) {
        let cuts = 1;
        cutting.faults.replyMaxBytes = () => (cuts-- > 0 ? bytes : Infinity);
        const id = `cut ${bytes} ${cutting === frontCut ? 'front' : 'back'}`;
        // The sender repeats a message that was not confirmed, with its id.
        const send = () => sandbox.run(['send', '--id', id, 'Its me'], { env });
        const { code } = await send();
        if (code !== 0) expect(await send()).toMatchObject({ code: 0 });
        const stored = (await readEntries(logging.url)).filter((entry) => entry.id === id);
        expect(stored).toHaveLength(1);
      }
      cutting.faults.replyMaxBytes = () => Infinity;
    }
  });

  test('an event stream opened while the logging service is away begins when it is back', async () => {
    const { sandbox, url, logging } = chain;
    const lastSeq = (await readEntries(logging.url)).length;
    await logging.kill();
    const stream = await openEvents(url, { 'last-event-id': String(lastSeq) });
    try {
      expect(stream).toMatchObject({ status: 200 });
      await stream.waitFor(
        () => stream.blocks.find(({ comment }) => comment !== undefined),
        soonMs,
      );
      chain.logging = await sandbox.serve('logging', ...lively, '--port', portOf(logging.url));
      await vi.waitFor(
        async () => expect(await postForm(url, { txt: 'is back' })).toMatchObject({ status: 200 }),
        { timeout: 10_000 },
      );
      expect(await stream.waitFor(() => stream.seqs()[0])).toBe(lastSeq + 1);
    } finally {
      stream.close();
    }
  });
});
