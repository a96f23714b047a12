import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { request } from '../support/http.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';

// A copy onto a disk that is too small for it.

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) process.stderr.write('Skipped, for only root can mount: a backup to a full disk.\n');

describe.skipIf(!canMount && !process.env['CI'])('a backup to a full disk', () => {
  let sandbox: Sandbox;
  let small: string;
  beforeEach(async () => {
    sandbox = await openSandbox();
    small = join(sandbox.folder, 'small');
    mkdirSync(small);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small]);
    if (mounted.status !== 0) throw new Error(String(mounted.stderr));
    return async () => {
      spawnSync('umount', [small]);
      await sandbox.close();
    };
  });

  test('says so in one line, looks like no backup, and goes on when there is space', async () => {
    const { facade, logging } = await sandbox.serveAll();
    const lines = Array.from({ length: 40 }, (_, n) =>
      JSON.stringify({ id: `id ${n}`, txt: String(n).padEnd(40_000, '.') }),
    );
    const headers = { 'content-type': 'application/x-ndjson' };
    const body = `${lines.join('\n')}\n`;
    const url = new URL('/logging', logging.url);
    expect(await request(url, { method: 'POST', headers, body })).toMatchObject({ status: 200 });

    const copy = join(small, 'copy.db');
    writeFileSync(join(small, 'fill'), Buffer.alloc(2 * 1024 * 1024));
    const backup = ['backup', copy, '--url', facade.url];
    const full = await sandbox.run(backup);
    expect(full).toMatchObject({ code: 1, stdout: '' });
    expect(full.stderr).toMatch(/^mlog: The disk is full; [^\n]+ is not whole\. [^\n]+\n$/);
    expect(readdirSync(small)).not.toContain('copy.db');

    rmSync(join(small, 'fill'));
    spawnSync('mount', ['-o', 'remount,size=16m', small]);
    const again = await sandbox.run(backup);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('40 messages in') });
    expect(readdirSync(small)).toEqual(['copy.db']);
    const verify = await sandbox.run(['verify', '--store', `file:${copy}`, '--json']);
    expect(JSON.parse(verify.stdout)).toMatchObject({ messages: 40, problems: [] });
  });
});
