import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { openImmutable } from '../../src/store/sqlite/driver.ts';
import { getText, postForm, request } from '../support/http.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';
import { readEntries, type StoredEntry } from '../support/writers.ts';

// A copy of running services into a file, and the check of a store.

let sandbox: Sandbox;
let copy: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  copy = join(sandbox.folder, 'copy.db');
  return () => sandbox.close();
});

const oddTexts = ['a', ' \t', 'NUL \0 CR \r LF \n', '🙂 \u202eright to left', 'x'.repeat(300_000)];

const entriesOfCopy = async (): Promise<StoredEntry[]> => {
  const service = await sandbox.serve('logging', '--store', `file:${copy}`);
  const entries = await readEntries(service.url);
  await service.kill('SIGTERM');
  return entries;
};

test('a backup copies every entry as it is, and the next one only what is new', async () => {
  const { facade, logging } = await sandbox.serveAll();
  for (const txt of oddTexts) await postForm(facade.url, { txt });
  const first = await sandbox.run(['backup', copy, '--url', facade.url, '--json']);
  expect(first).toMatchObject({ code: 0 });
  expect(JSON.parse(first.stdout)).toMatchObject({ lastSeq: 5, copied: 5 });
  expect(await entriesOfCopy()).toStrictEqual(await readEntries(logging.url));

  await postForm(facade.url, { id: 'new', txt: 'later' });
  const second = await sandbox.run(['backup', copy, '--url', facade.url, '--json']);
  expect(JSON.parse(second.stdout)).toMatchObject({ lastSeq: 6, copied: 1 });
  const third = await sandbox.run(['backup', copy, '--url', facade.url, '--json']);
  expect(JSON.parse(third.stdout)).toMatchObject({ lastSeq: 6, copied: 0 });
  const entries = await entriesOfCopy();
  expect(entries).toStrictEqual(await readEntries(logging.url));
  expect(entries.map(({ txt }) => txt)).toStrictEqual([...oddTexts, 'later']);
});

test('a backup is not made beside the log of another file, which could not be opened then', async () => {
  const { facade } = await sandbox.serveAll();
  await postForm(facade.url, { txt: 'a' });
  writeFileSync(`${copy}-wal`, 'a log');
  const run = await sandbox.run(['backup', copy, '--url', facade.url]);
  expect(run).toMatchObject({ code: 1, stdout: '' });
  expect(run.stderr).toContain(`${copy} is missing, but its -wal file is there.`);
  expect(existsSync(copy)).toBe(false);
});

test('a backup of one journal is left as it is when another one is to be copied', async () => {
  const first = await sandbox.serveAll();
  for (const txt of oddTexts) await postForm(first.facade.url, { txt });
  await sandbox.run(['backup', copy, '--url', first.facade.url]);
  const before = await entriesOf(copy);
  expect(before).toHaveLength(oddTexts.length);

  const other = await sandbox.serveAll('--store', 'memory:');
  const refused = ['backup', copy, '--url', other.facade.url];
  // Shorter than the backup, then as long, then longer.
  for (const texts of [['b'], ['c', 'd', 'e', 'f'], ['g']]) {
    for (const txt of texts) await postForm(other.facade.url, { txt });
    const run = await sandbox.run(refused);
    expect(run).toMatchObject({ code: 5, stdout: '' });
    expect(run.stderr).toContain('another journal');
    expect(await entriesOf(copy)).toEqual(before);
  }
});

async function entriesOf(path: string): Promise<unknown[]> {
  const database = await openImmutable(path);
  const rows = database.prepare('SELECT * FROM entry').all();
  database.close();
  return rows;
}

test('a backup is served in place of the store, and goes on from there', async () => {
  const { facade, messages } = await sandbox.serveAll();
  for (const txt of oddTexts) await postForm(facade.url, { id: `of ${txt.length}`, txt });
  const list = await getText(facade.url);
  await sandbox.run(['backup', copy, '--url', facade.url]);
  await messages.kill('SIGTERM');

  const again = await sandbox.serveAll('--store', `file:${copy}`);
  expect(await getText(again.facade.url)).toBe(list);
  const repeat = await postForm(again.facade.url, { id: 'of 1', txt: 'a' });
  expect(repeat).toMatchObject({ status: 200, headers: { 'idempotent-replayed': 'true' } });
  await postForm(again.facade.url, { id: 'next', txt: 'b' });
  expect(JSON.parse((await request(new URL('/?id=next', again.facade.url))).text)).toMatchObject({
    seq: 6,
  });
});

test('a backup says which services it cannot reach', async () => {
  const { facade } = await sandbox.serveAll();
  await facade.kill();
  const run = await sandbox.run(['backup', copy, '--url', facade.url]);
  expect(run).toMatchObject({ code: 3, stdout: '' });
  expect(run.stderr).toContain(facade.url);
});

test('the check finds a backup whole, and names the entry that a flipped bit has changed', async () => {
  const { facade } = await sandbox.serveAll();
  for (const txt of ['one', 'Its me, Mario', 'three']) await postForm(facade.url, { txt });
  await sandbox.run(['backup', copy, '--url', facade.url]);
  const verify = ['verify', '--store', `file:${copy}`];
  const whole = await sandbox.run(verify);
  expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/^whole: 3 messages/) });

  const bytes = readFileSync(copy);
  bytes[bytes.indexOf('Its me, Mario')]! ^= 1;
  writeFileSync(copy, bytes);
  const damaged = await sandbox.run(verify);
  expect(damaged).toMatchObject({ code: 1, stdout: expect.stringMatching(/\bEntry 2\b/) });
  expect(damaged.stderr).toContain('damaged');
  const json = JSON.parse((await sandbox.run([...verify, '--json'])).stdout) as { problems: [] };
  expect(json.problems).toHaveLength(1);
  expect(readFileSync(copy).equals(bytes)).toBe(true);
});

test('the check leaves a store alone that is in use', async () => {
  const { facade } = await sandbox.serveAll();
  await postForm(facade.url, { txt: 'Its me' });
  const run = await sandbox.run(['verify', '--store', sandbox.store]);
  expect(run).toMatchObject({ code: 1, stdout: '' });
  expect(run.stderr).toMatch(/in use|open/i);
  expect(await postForm(facade.url, { txt: 'again' })).toMatchObject({ status: 200 });
});
