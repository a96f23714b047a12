import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) process.stderr.write('Skipped, for only root can mount: a store on a full disk.\n');

describe.skipIf(!canMount && !process.env['CI'])('a store on a full disk', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder.path]);
    if (mounted.status !== 0) throw new Error(String(mounted.stderr));
    path = join(folder.path, 'mlog.db');
  });

  afterEach(async () => {
    spawnSync('umount', [folder.path]);
    await folder.remove();
  });

  function fill(): void {
    expect(() => writeFileSync(join(folder.path, 'fill'), Buffer.alloc(4 * 1024 * 1024))).toThrow(
      'ENOSPC',
    );
  }

  it('opens, reads, refuses to write until there is space, and closes', async () => {
    const first = await openSqliteJournal(path);
    await first.append([message('a')]);
    await first.close();
    fill();
    const journal = await openSqliteJournal(path);
    expect(await readAll(journal)).toHaveLength(1);
    await expect(journal.append([message('b')])).rejects.toMatchObject({ code: 'storage_full' });
    await journal.close();
    const again = await openSqliteJournal(path);
    await expect(again.append([message('b')])).rejects.toMatchObject({ code: 'storage_full' });
    rmSync(join(folder.path, 'fill'));
    expect(await again.append([message('b')])).toMatchObject([{ seq: 2, status: 'logged' }]);
    fill();
    await again.close();
    rmSync(join(folder.path, 'fill'));
    expect(await verifySqliteStore(path)).toMatchObject({ messages: 2, problems: [] });
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it('is not converted, says why, and is once there is space', async () => {
    copyFileSync(join(import.meta.dirname, 'schema-1', 'closed.db'), path);
    fill();
    await expect(openSqliteJournal(path)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('disk is full'),
      hint: expect.stringContaining('Free some space'),
    });
    rmSync(join(folder.path, 'fill'));
    const journal = await openSqliteJournal(path);
    expect(await readAll(journal)).toHaveLength(3);
    await journal.close();
  });

  it('is checked without a byte of space once it was closed', async () => {
    const journal = await openSqliteJournal(path);
    await journal.append([message('a')]);
    await journal.close();
    fill();
    expect(await verifySqliteStore(path)).toMatchObject({ messages: 1, problems: [] });
  });

  it('is not called damaged by a check that has no space for reading its log', async () => {
    const journal = await openSqliteJournal(path);
    await journal.append([message('a')]);
    const killed = join(folder.path, 'killed.db');
    copyFileSync(path, killed);
    copyFileSync(`${path}-wal`, `${killed}-wal`);
    fill();
    await expect(verifySqliteStore(killed)).rejects.toMatchObject({
      code: 'failed_precondition',
      hint: expect.stringContaining('space'),
    });
    rmSync(join(folder.path, 'fill'));
    await journal.close();
  });
});
