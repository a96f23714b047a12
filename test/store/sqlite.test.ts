import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteJournal } from '../../src/store/sqlite.ts';
import { openDatabase } from '../../src/store/sqlite-driver.ts';
import { message, readAll } from '../contract/journal-contract.ts';
import { temporaryFolder } from '../support/folder.ts';

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
    ['a log without its store', () => writeFileSync(`${path}-wal`, 'x'), /is gone, its -wal/],
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

  it('refuses the SQLite file of somebody else', async () => {
    mkdirSync(dirname(path), { recursive: true });
    const database = await openDatabase(path);
    database.exec('CREATE TABLE theirs (x)');
    database.close();
    const before = snapshot();
    await expect(openSqliteJournal(path)).rejects.toThrow('is not a store of mlog');
    expect(snapshot()).toEqual(before);
  });

  it('refuses the store of a newer mlog', async () => {
    await makeStore();
    const database = await openDatabase(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await expect(openSqliteJournal(path)).rejects.toThrow(
      'has format 99; this mlog knows format 1',
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

  function snapshot(): unknown[] {
    return [path, `${path}-wal`].map((file) =>
      existsSync(file) && statSync(file).isFile() ? readFileSync(file, 'latin1') : existsSync(file),
    );
  }
});

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}
