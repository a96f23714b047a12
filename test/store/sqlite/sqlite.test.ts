import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { createStoreFile } from '../../../src/store/sqlite/create.ts';
import { openDatabase } from '../../../src/store/sqlite/driver.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

describe('a SQLite store', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'data', 'mlog', 'mlog.db');
  });

  afterEach(() => folder.remove());

  async function makeStore(): Promise<void> {
    const journal = await openSqliteJournal(path);
    await journal.append([message('a'), message('b')]);
    await journal.close();
  }

  it('is its owner’s alone to read: folders 0700, files 0600', async () => {
    const journal = await openSqliteJournal(path);
    await journal.append([message('a')]);
    expect(mode(dirname(path))).toBe(0o700);
    expect(mode(dirname(dirname(path)))).toBe(0o700);
    expect(mode(path)).toBe(0o600);
    expect(mode(`${path}-wal`)).toBe(0o600);
    await journal.close();
  });

  it('has one owner; who comes second is told so, and the first goes on', async () => {
    const journal = await openSqliteJournal(path);
    await expect(openSqliteJournal(path)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: `The store ${path} is in use by another process.`,
    });
    await journal.append([message('a')]);
    expect(await readAll(journal)).toHaveLength(1);
    await journal.close();
    await (await openSqliteJournal(path)).close();
  });

  it('can be read as text by anyone with SQLite', async () => {
    await makeStore();
    const database = await openDatabase(path);
    expect(database.prepare('SELECT seq, id, txt FROM entry_text').all()).toMatchObject([
      { seq: 1, id: 'a', txt: 'text of a' },
      { seq: 2, id: 'b', txt: 'text of b' },
    ]);
    database.close();
  });

  it('leaves no draft beside it', async () => {
    await makeStore();
    expect(execFileSync('ls', ['-A', dirname(path)], { encoding: 'utf8' })).toBe('mlog.db\n');
  });

  it.each([
    ['an empty file', () => writeFileSync(path, ''), /damaged or foreign: it is empty/],
    ['another kind of file', () => writeFileSync(path, 'x'.repeat(9_000)), /not a SQLite file/],
    ['a folder', () => mkdirSync(path), /is not a file/],
    [
      'a log without its store',
      () => writeFileSync(`${path}-wal`, 'x'),
      /is missing, but its -wal/,
    ],
  ])('refuses %s in its place and leaves it as it is', async (_, place, reason) => {
    mkdirSync(dirname(path), { recursive: true });
    place();
    const before = snapshot();
    await expect(openSqliteJournal(path)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(reason),
    });
    expect(snapshot()).toEqual(before);
  });

  it('refuses a header that SQLite knows and does not understand, as a damaged store', async () => {
    await makeStore();
    const bytes = readFileSync(path);
    bytes[47]! ^= 64; // The number of the schema's format.
    writeFileSync(path, bytes);
    await expect(openSqliteJournal(path)).rejects.toMatchObject({
      message: expect.stringContaining('damaged or foreign'),
      hint: expect.stringContaining('is unchanged'),
    });
  });

  it('refuses the SQLite file of somebody else', async () => {
    mkdirSync(dirname(path), { recursive: true });
    const database = await openDatabase(path);
    database.exec('CREATE TABLE theirs (x)');
    database.close();
    const before = snapshot();
    await expect(openSqliteJournal(path)).rejects.toThrow('is not an mlog store');
    expect(snapshot()).toEqual(before);
  });

  it('refuses the store of a newer mlog', async () => {
    await makeStore();
    const database = await openDatabase(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await expect(openSqliteJournal(path)).rejects.toThrow(
      'has format 99; this mlog knows format 2',
    );
  });

  it('refuses a store that was cut short', async () => {
    await makeStore();
    truncateSync(path, 5_000);
    await expect(openSqliteJournal(path)).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('names a folder that is none, and what to do', async () => {
    writeFileSync(join(folder.path, 'data'), 'a file where a folder should be');
    await expect(openSqliteJournal(path)).rejects.toMatchObject({
      code: 'failed_precondition',
      hint: expect.stringContaining('--store'),
    });
  });

  it('is the same one through a link, its log beside the file itself', async () => {
    await makeStore();
    const link = join(folder.path, 'link.db');
    symlinkSync(path, link);
    const journal = await openSqliteJournal(link);
    await journal.append([message('c')]);
    expect(existsSync(`${path}-wal`)).toBe(true);
    copyFileSync(path, join(folder.path, 'copy.db'));
    copyFileSync(`${path}-wal`, join(folder.path, 'copy.db-wal'));
    await journal.close();
    // As a killed process leaves it: with its log.
    const copied = join(folder.path, 'copied.db');
    symlinkSync(join(folder.path, 'copy.db'), copied);
    expect(await verifySqliteStore(copied)).toMatchObject({ messages: 3, problems: [] });
    const warnings: string[] = [];
    const again = await openSqliteJournal(copied, { onWarning: (one) => warnings.push(one) });
    expect(await readAll(again)).toHaveLength(3);
    expect(warnings).toEqual([]);
    await again.close();
  });

  it('refuses a link to where nothing is', async () => {
    const link = join(folder.path, 'link.db');
    symlinkSync(path, link);
    const refusal = { code: 'failed_precondition', message: expect.stringContaining('is a link') };
    await expect(openSqliteJournal(link)).rejects.toMatchObject(refusal);
    await expect(verifySqliteStore(link)).rejects.toMatchObject(refusal);
  });

  it('clears away the drafts of starts that were killed, and nothing else', async () => {
    mkdirSync(dirname(path), { recursive: true });
    const drafts = ['7.new', '0190a5f0-1111-7222-8333-444455556666.new', '7.new-journal'];
    for (const draft of drafts) writeFileSync(`${path}.${draft}`, 'half');
    for (const other of ['my.new', '7.newer']) writeFileSync(`${path}.${other}`, 'kept');
    await makeStore();
    expect(readdirSync(dirname(path))).toEqual(['mlog.db', 'mlog.db.7.newer', 'mlog.db.my.new']);
  });

  it('is left as it is by a draft that comes too late', async () => {
    await makeStore();
    const before = snapshot();
    await createStoreFile(path);
    expect(snapshot()).toEqual(before);
  });

  it('keeps nothing of an append in which a later message fails', async () => {
    await makeStore();
    const database = await openDatabase(path);
    database.exec(`CREATE TRIGGER failing BEFORE INSERT ON entry WHEN NEW.id = CAST('bad' AS BLOB)
      BEGIN SELECT RAISE(FAIL, 'made to fail'); END`);
    database.close();
    const journal = await openSqliteJournal(path);
    await expect(journal.append([message('c'), message('bad')])).rejects.toThrow('made to fail');
    await journal.close().catch(() => {});
    expect(await verifySqliteStore(path)).toMatchObject({ messages: 2, problems: [] });
  });

  it('reads pages that stay small, whatever the texts', async () => {
    const journal = await openSqliteJournal(path);
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await journal.append([{ id, txt: id.repeat(512 * 1024) }]);
    }
    const sizes: number[] = [];
    for await (const page of journal.read({ after: 0, limit: 100 })) {
      sizes.push(page.reduce((sum, { txt }) => sum + txt.length, 0));
    }
    await journal.close();
    expect(sizes.reduce((sum, size) => sum + size)).toBe(3 * 1024 * 1024);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(1.5 * 1024 * 1024);
  });

  function snapshot(): unknown[] {
    return [path, `${path}-wal`].map((file) =>
      existsSync(file) && statSync(file).isFile() ? readFileSync(file, 'latin1') : existsSync(file),
    );
  }
});

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}
