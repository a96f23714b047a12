import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/store/sqlite/driver.ts';
import { readState, schemaVersion } from '../../../src/store/sqlite/schema.ts';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

const fixtures = join(import.meta.dirname, 'schema-1');

describe('a store of an older mlog', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'mlog.db');
  });

  afterEach(() => folder.remove());

  function place(name: string): void {
    copyFileSync(join(fixtures, name), path);
    const log = join(fixtures, `${name}-wal`);
    if (existsSync(log)) copyFileSync(log, `${path}-wal`);
  }

  it.each([
    ['closed.db', ['a', 'b', 'c']],
    ['killed.db', ['a', 'b', 'c', 'd', 'e']],
  ])('is converted at its first start: schema 1, %s', async (name, ids) => {
    place(name);
    const journal = await openSqliteJournal(path, { onWarning: expect.unreachable });
    expect((await readAll(journal)).map(({ id }) => id)).toEqual(ids);
    const { journal: id } = await journal.head();
    expect(id).not.toBe('');
    expect(await journal.append([message('a'), message('new')])).toMatchObject([
      { status: 'duplicate', seq: 1 },
      { status: 'logged', seq: ids.length + 1 },
    ]);
    await journal.close();
    const whole = { messages: ids.length + 1, firstSeq: 1, lastSeq: ids.length + 1, problems: [] };
    expect(await verifySqliteStore(path)).toEqual(whole);
    const again = await openSqliteJournal(path);
    expect((await again.head()).journal).toBe(id);
    await again.close();
  });

  it('gets an id of its own at each conversion', async () => {
    const ids = new Set<string>();
    for (const name of ['closed.db', 'closed.db', 'killed.db']) {
      place(name);
      const journal = await openSqliteJournal(path);
      ids.add((await journal.head()).journal);
      await journal.close();
    }
    expect(ids.size).toBe(3);
  });

  it.each(['closed.db', 'killed.db'])(
    'can be checked without being converted: %s',
    async (name) => {
      place(name);
      const lastSeq = name === 'closed.db' ? 3 : 5;
      expect(await verifySqliteStore(path)).toMatchObject({ lastSeq, problems: [] });
      const database = await openDatabase(path, { readOnly: true });
      expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
      database.close();
    },
  );

  it('has the same state once converted as a new one', async () => {
    place('closed.db');
    const names: string[][] = [];
    for (const store of [path, join(folder.path, 'new.db')]) {
      await (await openSqliteJournal(store)).close();
      const database = await openDatabase(store);
      names.push(Object.keys(readState(database)));
      expect(database.prepare('PRAGMA user_version').get()).toEqual({
        user_version: schemaVersion,
      });
      database.close();
    }
    expect(names[0]).toEqual(names[1]);
  });
});
