import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteJournal } from '../../../src/store/sqlite/sqlite.ts';
import { startChild, type Child } from '../../support/child.ts';
import { temporaryFolder } from '../../support/folder.ts';
import { postForm } from '../../support/http.ts';

const programPath = fileURLToPath(new URL('../../../bin/mlog.js', import.meta.url));
const startTimeoutMs = 20_000;
const calls = 'trace=fsync,fdatasync,openat,pread64,link,linkat,write,writev';

const canTrace = spawnSync('strace', ['-V']).status === 0;
if (!canTrace) process.stderr.write('Skipped, for strace is missing: the syncs of a store.\n');

describe.skipIf(!canTrace && !process.env['CI'])('the system calls of a store', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let store: string;
  let log: string;
  const children: Child[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
    store = join(folder.path, 'mlog.db');
    log = join(folder.path, 'trace');
  });

  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill();
    await folder.remove();
  });

  async function serve(...options: string[]): Promise<{ child: Child; url: URL }> {
    const serving = ['serve', 'logging', '--port', '0', '--store', `file:${store}`];
    const tracing = ['-D', '-f', '-qq', '-y', '-s', '400', '-o', log, ...options];
    const command = [process.execPath, programPath, ...serving];
    const child = await startChild('strace', [...tracing, ...command]);
    children.push(child);
    const url = await child.waitFor(
      () => /"logging":"(http[^"]+)"/.exec(child.stderr())?.[1],
      startTimeoutMs,
    );
    return { child, url: new URL('/logging', url) };
  }

  it('syncs a new store, then names it, then syncs the folder', async () => {
    const { child } = await serve('-e', calls);
    await child.kill('SIGTERM');
    const lines = traced();
    const named = lines.findIndex((line) => /\blink(at)?\(/.test(line));
    const before = lines.slice(0, named);
    // SQLite syncs while it works as well. What counts comes after it opens the file without
    // O_CREAT.
    const opened = before.findLastIndex((line) => /\.new", (?!.*O_CREAT)/.test(line));
    expect(opened).toBeGreaterThan(0);
    expect(before.slice(opened).some((line) => /\bfsync\(\d+<[^>]*\.new>/.test(line))).toBe(true);
    const after = lines.slice(named);
    const used = after.findIndex((line) => /openat\(.*mlog\.db",/.test(line));
    const isFolderSync = (line: string) => line.includes(`<${folder.path}>`);
    const syncs = after.slice(0, used).filter((line) => /\bfsync\(/.test(line));
    expect(syncs.some(isFolderSync)).toBe(true);
  });

  it('syncs the log before each reply', async () => {
    const { child, url } = await serve('-e', calls);
    for (let n = 1; n <= 20; n += 1) {
      expect(await postForm(url, { id: `m-${n}`, txt: 'Its me' })).toMatchObject({ status: 201 });
    }
    await child.kill();
    const lines = traced();
    const replies = lines.flatMap((line, at) => (/HTTP\/1\.1 201/.test(line) ? [at] : []));
    const ready = lines.findIndex((line) => /Ready/.test(line));
    expect(ready).toBeGreaterThan(0);
    expect(replies).toHaveLength(20);
    for (const [index, reply] of replies.entries()) {
      const between = lines.slice(index === 0 ? ready : replies[index - 1], reply);
      expect(between.filter(isLogSync).length).toBeGreaterThan(0);
    }
  });

  it('syncs a log that is there before it reads it', async () => {
    const first = await serve('-e', calls);
    await postForm(first.url, { id: 'one', txt: 'Its me' });
    await first.child.kill();
    const second = await serve('-e', calls);
    await second.child.kill();
    const lines = traced();
    const read = lines.findIndex((line) => /pread64\(\d+<[^>]*-wal>/.test(line));
    expect(read).toBeGreaterThan(0);
    expect(lines.slice(0, read).filter(isLogSync).length).toBeGreaterThan(0);
  });

  it('end with a sync that fails: no reply of success, and no service any more', async () => {
    const failing = 'inject=fsync,fdatasync:error=EIO:when=40+';
    const { child, url } = await serve('-e', 'trace=fsync,fdatasync', '-e', failing);
    const statuses: number[] = [];
    for (let n = 1; n <= 60; n += 1) {
      const reply = await postForm(url, { id: `m-${n}`, txt: 'Its me' }).catch(() => undefined);
      statuses.push(reply?.status ?? 0);
      if (reply?.status !== 201) break;
    }
    expect(statuses.length).toBeLessThan(60);
    expect(statuses.at(-1)).not.toBe(201);
    await child.waitFor(() => /^mlog: The store failed/m.exec(child.stderr()) ?? undefined, 5_000);
    expect((await child.exited).code).toBeGreaterThan(0);
  });

  it.each(['ENOSYS', 'EACCES', 'EPERM', 'EIO'])(
    'begin a store on a file system without hard links, which says %s',
    async (code) => {
      const { child, url } = await serve('-e', `inject=link,linkat:error=${code}`);
      expect(await postForm(url, { id: 'one', txt: 'Its me' })).toMatchObject({ status: 201 });
      await child.kill('SIGTERM');
      expect(readdirSync(folder.path).filter((name) => name.startsWith('mlog.db'))).toEqual([
        'mlog.db',
      ]);
    },
  );

  it('never replace a store that is there, on a file system without hard links', async () => {
    const prepared = `${store}.prepared`;
    const journal = await openSqliteJournal(prepared);
    await journal.append([{ id: 'one', txt: 'Its me' }]);
    await journal.close();
    const noLinks = 'inject=link,linkat:error=EPERM:delay_enter=2s';
    const late = serve('-e', 'trace=link,linkat', '-e', noLinks);
    await expect
      .poll(() => readdirSync(folder.path).some((name) => name.endsWith('.new')), {
        timeout: 9_000,
      })
      .toBe(true);
    copyFileSync(prepared, store);
    const { url } = await late;
    expect(await postForm(url, { id: 'one', txt: 'Its me' })).toMatchObject({ status: 200 });
  });

  function traced(): string[] {
    return readFileSync(log, 'utf8').split('\n');
  }
});

function isLogSync(line: string): boolean {
  return /\bf(?:data)?sync\(\d+<[^>]*-wal>/.test(line);
}
