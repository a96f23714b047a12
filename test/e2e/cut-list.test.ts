import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type ClosingProxy, startClosingProxy } from '../support/closing-proxy.ts';
import { request } from '../support/http.ts';
import { openSandbox, type Sandbox, type Services } from '../support/sandbox.ts';
import { readEntries, type StoredEntry } from '../support/writers.ts';

// Behind a proxy whose replies end with their connections, a list that was cut is no success.

const oneLine = /^mlog: [^\n]+\n$/m;
const count = 400;

let sandbox: Sandbox;
let services: Services;
let entries: StoredEntry[];
beforeEach(async () => {
  sandbox = await openSandbox();
  services = await sandbox.serveApart();
  // Each list takes several pieces, and some texts look like the end of a list.
  const ends = [']', '"]\n', '"]\\', '\n'];
  const body = Array.from({ length: count }, (_, n) => {
    const txt = `${n} ${'x'.repeat(200)}${ends[n % ends.length]}`;
    return `${JSON.stringify({ txt })}\n`;
  }).join('');
  const headers = { 'content-type': 'application/x-ndjson' };
  await request(services.facade.url, { method: 'POST', headers, body });
  entries = await readEntries(services.logging.url);
  return () => sandbox.close();
});

const startProxy = async (url: string): Promise<ClosingProxy> => {
  const proxy = await startClosingProxy(url);
  sandbox.defer(proxy.close);
  return proxy;
};

const linesOf = (stdout: string): StoredEntry[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEntry);

test('a list resumes where it was cut, in the middle of a line or between two', async () => {
  const proxy = await startProxy(services.facade.url);
  const bytesOf = (some: StoredEntry[]) =>
    Buffer.byteLength(some.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  expect(entries).toHaveLength(count);
  // The first cut is right after a line, so the list looks complete.
  const firstPart = bytesOf(entries.slice(0, 60));
  for (const bytes of [firstPart, bytesOf([entries[59]!]), 10_000]) proxy.cutNext(bytes);
  const run = await sandbox.run(['list', '--json', '--url', proxy.url]);
  expect(run).toMatchObject({ code: 0 });
  expect(linesOf(run.stdout)).toStrictEqual(entries);
  expect(proxy.cuts()).toBe(3);
  const narrowed = ['--after', '10', '--limit', '300'];
  proxy.cutNext(20_000);
  const some = await sandbox.run(['list', '--json', '--url', proxy.url, ...narrowed]);
  expect(linesOf(some.stdout)).toStrictEqual(entries.slice(10, 310));
  expect(proxy.cuts()).toBe(4);
});

test('a list that cannot be resumed ends with 3 and says how far it came', async () => {
  const proxy = await startProxy(services.facade.url);
  for (let n = 0; n < 5; n += 1) proxy.cutNext(n === 0 ? 10_000 : 1);
  const run = await sandbox.run(['list', '--json', '--url', proxy.url]);
  expect(run).toMatchObject({ code: 3, stderr: expect.stringMatching(oneLine) });
  const printed = linesOf(run.stdout);
  expect(printed).toStrictEqual(entries.slice(0, printed.length));
  expect(printed.length).toBeLessThan(count);
  expect(run.stderr).toContain(`The list is incomplete: it ended at ${printed.length} of ${count}`);
});

test('a backup resumes, and holds all there was', async () => {
  const proxy = await startProxy(services.facade.url);
  for (const bytes of [10_000, 40_000]) proxy.cutNext(bytes);
  const run = await sandbox.run(['backup', 'copy.db', '--url', proxy.url, '--json']);
  expect(run).toMatchObject({ code: 0 });
  expect(JSON.parse(run.stdout)).toMatchObject({ copied: count, lastSeq: count });
  const copy = `file:${join(sandbox.folder, 'copy.db')}`;
  const restored = await sandbox.serve('logging', '--store', copy);
  expect(await readEntries(restored.url)).toStrictEqual(entries);
});

test('a facade passes no list on as whole that was cut on its way to it', async () => {
  const [logging, messages] = [
    await startProxy(services.logging.url),
    await startProxy(services.messages.url),
  ];
  const below = ['--logging', logging.url, '--messages', messages.url];
  const facade = await sandbox.serve('facade', ...below);
  for (const [path, accept] of [
    ['/', 'application/json'],
    ['/?after=0', 'application/json'],
    ['/?after=0', 'application/x-ndjson'],
  ]) {
    const whole = await request(new URL(path!, facade.url), { headers: { accept } });
    expect(whole).toMatchObject({ status: 200 });
    for (const bytes of [1, 20_000, 80_000]) {
      logging.cutNext(bytes);
      const cuts = logging.cuts();
      const outcome = await request(new URL(path!, facade.url), { headers: { accept } }).then(
        ({ status }) => status,
        () => 'broken off',
      );
      expect([500, 503, 'broken off'], `${path} as ${accept}, cut behind ${bytes}`).toContain(
        outcome,
      );
      expect(logging.cuts()).toBe(cuts + 1);
    }
  }
  // Our own client resumes there.
  logging.cutNext(50_000);
  const run = await sandbox.run(['list', '--json', '--url', facade.url]);
  expect(linesOf(run.stdout)).toStrictEqual(entries);
  expect(run.code).toBe(0);
});
