import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

describe('a closed store that is damaged', () => {
  let path: string;

  beforeEach(async () => {
    const folder = await temporaryFolder();
    path = join(folder.path, 'mlog.db');
    const journal = await openSqliteJournal(path);
    await journal.append(Array.from({ length: 500 }, (_, index) => message(`id-${index}`)));
    await journal.close();
    return folder.remove;
  });

  const damages: [string, (file: Buffer) => void][] = [
    ['a version for writing that no SQLite has', (file) => (file[18]! ^= 0b100)],
    ['a version for reading that no SQLite has', (file) => (file[19]! ^= 0b100)],
    ['a header that claims more pages than there are', (file) => (file[28]! ^= 1)],
    ['a header that claims fewer pages', (file) => file.writeUInt32BE(2, 28)],
    ['a page of zeros where the table begins', (file) => file.fill(0, 4_096, 8_192)],
  ];

  it.each(damages)('is refused by a start and told by a check, and left: %s', async (_, damage) => {
    const bytes = readFileSync(path);
    damage(bytes);
    writeFileSync(path, bytes);
    const refusal = { code: 'failed_precondition', message: expect.stringContaining('is damaged') };
    await expect(openSqliteJournal(path)).rejects.toMatchObject(refusal);
    await expect(verifySqliteStore(path)).rejects.toMatchObject(refusal);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });
});
