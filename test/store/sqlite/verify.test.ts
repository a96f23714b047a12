import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../../../src/store/sqlite/driver.ts';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

describe('the check of a store', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'mlog.db');
    const journal = await openSqliteJournal(path);
    await journal.append(Array.from({ length: 300 }, (_, index) => message(`m-${index + 1}`)));
    await journal.close();
  });

  afterEach(() => folder.remove());

  async function change(how: (database: Database) => void): Promise<void> {
    const database = await openDatabase(path);
    how(database);
    database.close();
  }

  it('finds a whole store whole, and leaves it so', async () => {
    const whole = { messages: 300, firstSeq: 1, lastSeq: 300, problems: [] };
    expect(await verifySqliteStore(path)).toEqual(whole);
    expect(await verifySqliteStore(path)).toEqual(whole);
    const journal = await openSqliteJournal(path);
    expect(await journal.head()).toMatchObject({ firstSeq: 1, lastSeq: 300 });
    await journal.close();
  });

  it('finds a flipped bit in a text, which SQLite cannot see', async () => {
    const bytes = readFileSync(path);
    const at = bytes.indexOf('text of m-299');
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
    const { problems } = await verifySqliteStore(path);
    expect(problems).toEqual([expect.stringMatching(/^Entry 299 is not what was stored/)]);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('serves what is whole around a damaged entry, and never the damaged one', async () => {
    await change((database) => database.exec("UPDATE entry SET txt = x'00' WHERE seq = 17"));
    const journal = await openSqliteJournal(path);
    expect(await readAll(journal, { after: 0, limit: 16 })).toHaveLength(16);
    expect(await readAll(journal, { after: 17, limit: 999 })).toHaveLength(283);
    await expect(readAll(journal)).rejects.toMatchObject({
      code: 'data_loss',
      details: { seq: 17 },
    });
    await expect(journal.get('m-17')).rejects.toMatchObject({ code: 'data_loss' });
    expect(await journal.append([message('later')])).toMatchObject([{ seq: 301 }]);
    await journal.close();
  });

  it('finds a gap', async () => {
    await change((database) => database.exec('DELETE FROM entry WHERE seq = 17'));
    const { problems } = await verifySqliteStore(path);
    expect(problems).toEqual(['Entry 18 follows entry 16: there is a gap.']);
  });

  it('finds a page that was overwritten', async () => {
    const bytes = readFileSync(path);
    const page = Math.floor(bytes.indexOf('text of m-150') / 4_096);
    bytes.fill(0xaa, page * 4_096, (page + 1) * 4_096);
    writeFileSync(path, bytes);
    const { problems } = await verifySqliteStore(path);
    expect(problems.length).toBeGreaterThan(0);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('tells of a log that is gone', async () => {
    const journal = await openSqliteJournal(path);
    await journal.append([message('only in the log')]);
    copyFileSync(path, `${path}.killed`);
    await journal.close();
    const { problems } = await verifySqliteStore(`${path}.killed`);
    expect(problems).toEqual([expect.stringMatching(/its -wal file is gone/)]);
    const warnings: string[] = [];
    const again = await openSqliteJournal(`${path}.killed`, {
      onWarning: (warning) => warnings.push(warning),
    });
    expect(warnings).toEqual(problems);
    await again.close();
  });

  it('throws what cannot be opened at all', async () => {
    rmSync(path);
    await expect(verifySqliteStore(path)).rejects.toMatchObject({ code: 'failed_precondition' });
    writeFileSync(path, 'no store');
    await expect(verifySqliteStore(path)).rejects.toMatchObject({ code: 'failed_precondition' });
  });
});
