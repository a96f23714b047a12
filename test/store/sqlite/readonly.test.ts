import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) process.stderr.write('Skipped, for only root can mount: a store to read alone.\n');

describe.skipIf(!canMount && !process.env['CI'])('a store on a read-only medium', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, 'mlog.db');
    const journal = await openSqliteJournal(path);
    await journal.append([message('a')]);
    copyFileSync(path, `${path}.killed`);
    copyFileSync(`${path}-wal`, `${path}.killed-wal`);
    await journal.close();
    mount('--bind', folder.path, folder.path);
    mount('-o', 'remount,ro,bind', folder.path);
  });

  afterEach(async () => {
    spawnSync('umount', [folder.path]);
    await folder.remove();
  });

  function mount(...args: string[]): void {
    const { status, stderr } = spawnSync('mount', args);
    if (status !== 0) throw new Error(String(stderr));
  }

  it('can be checked where it was closed', async () => {
    expect(await verifySqliteStore(path)).toMatchObject({ messages: 1, problems: [] });
    expect(readdirSync(folder.path)).toHaveLength(3);
  });

  it('is not called damaged where its log cannot be read, and it says what to do', async () => {
    await expect(verifySqliteStore(`${path}.killed`)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('-wal cannot be read'),
      hint: expect.stringContaining('writable folder'),
    });
  });

  it.each(['mlog.db', 'mlog.db.killed', 'new.db'])(
    'is not opened by a service: %s',
    async (name) => {
      await expect(openSqliteJournal(join(folder.path, name))).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringContaining('read-only file system'),
        hint: expect.stringContaining('where this user may write'),
      });
    },
  );
});
