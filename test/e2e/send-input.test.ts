import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
/** The totals come before it, as after every call that sends lines. */
const lastLine = /^(?:0 logged\n)?mlog: [^\n]+\n$/;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('an input that cannot be read', () => {
  test('is told with its reason, and is no fault of mlog', async () => {
    const file = join(sandbox.folder, 'file');
    await writeFile(file, '');
    const url = (await sandbox.serveAll()).facade.url;
    for (const [path, reason] of [
      [sandbox.folder, 'is a folder'],
      [join(file, 'x'), 'cannot be read: ENOTDIR'],
      [join(sandbox.folder, 'none'), 'cannot be read: ENOENT'],
      [join(sandbox.folder, 'x'.repeat(5_000)), 'cannot be read: ENAMETOOLONG'],
      ['/proc/self/mem', 'cannot be read: EIO'],
    ] as const) {
      const run = await sandbox.run(['send', '--lines', '-f', path, '--url', url]);
      expect(run).toMatchObject({ code: 2, stderr: expect.stringMatching(lastLine) });
      expect(run.stderr).toContain(`${path} ${reason}`);
    }
  });

  test.each(['--lines', '-'])('is not an empty one: a folder as stdin of `send %s`', (how) => {
    const folder = openSync(sandbox.folder, 'r');
    const run = spawnSync(process.execPath, [programPath, 'send', how, '--retry-delay-ms', '0'], {
      env: { PATH: process.env['PATH'], ...sandbox.env, MLOG_URL: 'http://127.0.0.1:1' },
      stdio: [folder, 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    closeSync(folder);
    expect(run).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^mlog: stdin is a folder/m),
    });
  });
});
