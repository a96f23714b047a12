import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  type BigIntStats,
  type StatOptions,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MlogError } from '../../../src/errors.ts';
import type { Store } from '../../../src/journal/store.ts';
import { OpenFiles } from '../../../src/store/sqlite/open-files.ts';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

// The times of a folder as most kernels report them, in ticks; the newest ones are exact.
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const tickNs = 10_000_000n;
  function fstatSync(file: number, options: StatOptions & { bigint: true }): BigIntStats {
    const found = fs.fstatSync(file, options);
    return Object.assign(found, { ctimeNs: (found.ctimeNs / tickNs) * tickNs });
  }
  return { ...fs, fstatSync };
});

describe('the files of an open store', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;
  let journal: Store;
  let fatal: Promise<MlogError>;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'mlog.db');
    let onFatal!: (error: MlogError) => void;
    fatal = new Promise((resolve) => (onFatal = resolve));
    journal = await openSqliteJournal(path, { onFatal });
    await journal.append([message('a'), message('b')]);
  });

  afterEach(async () => {
    await journal.close();
    await folder.remove();
  });

  const other = () => join(folder.path, 'other.db');
  const fileTroubles: [string, RegExp, () => void][] = [
    ['removed', /mlog\.db was removed/, () => rmSync(path)],
    ['moved', /mlog\.db was removed/, () => renameSync(path, other())],
    ['replaced', /mlog\.db was replaced/, () => replace(path)],
  ];
  const logTroubles: [string, RegExp, () => void][] = [
    ['removed', /mlog\.db-wal was removed/, () => rmSync(`${path}-wal`)],
    ['replaced', /mlog\.db-wal was replaced/, () => replace(`${path}-wal`)],
  ];

  function replace(file: string): void {
    copyFileSync(file, other());
    renameSync(other(), file);
  }

  it.each([...fileTroubles, ...logTroubles])(
    'are looked for before anything is acknowledged: %s, %s',
    async (_, reason, make) => {
      make();
      const unavailable = { code: 'unavailable', message: expect.stringMatching(reason) };
      await expect(journal.append([message('c')])).rejects.toMatchObject(unavailable);
      expect(await fatal).toMatchObject(unavailable);
      await expect(journal.head()).rejects.toMatchObject(unavailable);
    },
  );

  it('are looked for after two changes that came within one tick of the clock', () => {
    for (let round = 0; round < 5; round += 1) {
      const files = new OpenFiles(path);
      writeFileSync(other(), '');
      files.checkAfterChange();
      renameSync(path, `${path}.moved`);
      expect(() => files.checkAfterChange()).toThrow('mlog.db was removed');
      renameSync(`${path}.moved`, path);
    }
  });

  it.each([fileTroubles[0]!, logTroubles[0]!])(
    'are looked for once a second while nothing is stored: %s, %s',
    async (_, reason, make) => {
      const began = performance.now();
      make();
      expect((await fatal).message).toMatch(reason);
      expect(performance.now() - began).toBeLessThan(2_000);
    },
  );

  it.each(fileTroubles)('are left as they are where the file was %s', async (_, __, make) => {
    const log = readFileSync(`${path}-wal`);
    make();
    await journal.append([message('c')]).catch(() => {});
    await fatal;
    await journal.close();
    expect(readFileSync(`${path}-wal`).subarray(0, log.length).equals(log)).toBe(true);
  });

  it.each(logTroubles)('lose nothing where the log was %s', async (trouble, _, make) => {
    make();
    await journal.append([message('c')]).catch(() => {});
    await fatal;
    await journal.close();
    expect(await verifySqliteStore(path)).toMatchObject({ messages: 3, problems: [] });
    expect(existsSync(`${path}-wal.replaced`)).toBe(trouble === 'replaced');
  });

  it('may get another name: a link does no harm to a store that runs', async () => {
    linkSync(path, other());
    await journal.append([message('c')]);
    await journal.close();
    const again = await openSqliteJournal(other());
    expect(await readAll(again)).toHaveLength(3);
    await again.close();
  });

  it('are not opened by another name while the log lies beside the first one', async () => {
    const killed = join(folder.path, 'killed.db');
    copyFileSync(path, killed);
    copyFileSync(`${path}-wal`, `${killed}-wal`);
    linkSync(killed, other());
    const refusal = {
      code: 'failed_precondition',
      message: expect.stringContaining('the file has other names'),
      hint: expect.stringContaining('Start the service by the name'),
    };
    await expect(openSqliteJournal(other())).rejects.toMatchObject(refusal);
    await expect(verifySqliteStore(other())).rejects.toMatchObject(refusal);
    const again = await openSqliteJournal(killed);
    expect(await readAll(again)).toHaveLength(2);
    await again.close();
  });

  it('stay locked against other processes while they are looked for', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const verify = ['bin/mlog.js', 'verify', '--store', `file:${path}`];
    const run = () => execFileSync(process.execPath, verify, { encoding: 'utf8', stdio: 'pipe' });
    expect(run).toThrow('is in use by another process');
  });
});
