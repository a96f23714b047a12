import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';

// Starting mlog with less than a user at a terminal has: no home, no output, no disk.

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const oneLine = /^mlog: [^\n]+\n$/;
const anyPorts = ['--port', '0', '--logging-port', '0', '--messages-port', '0'];
/** A user without a name, a home or permissions. */
const nobody = { uid: 54_321, gid: 54_321 };
const isRoot = process.getuid?.() === 0;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('a start', () => {
  test('is not stopped by the variables that a container platform sets', async () => {
    const set = 'tcp://10.0.0.7:8880';
    const env = { MLOG_PORT: set, MLOG_LOGGING_PORT: set, MLOG_MESSAGES_PORT: set };
    for (const args of [['list'], ['send', 'x', '--retry-delay-ms', '0']]) {
      const run = await sandbox.run([...args, '--url', 'http://127.0.0.1:1'], { env });
      expect(run).toMatchObject({ code: 3 });
    }
    const busy = await sandbox.run(
      ['serve', 'facade', '--host', '192.0.2.1', '--insecure-no-auth'],
      { env },
    );
    expect(busy.stderr).toMatch(/^mlog: 192\.0\.2\.1 is not an address/);
  });

  test('of a client needs no home', async () => {
    const env = { HOME: '', XDG_DATA_HOME: '' };
    const run = await sandbox.run(['list', '--url', 'http://127.0.0.1:1'], { env });
    expect(run).toMatchObject({ code: 3, stderr: expect.stringMatching(oneLine) });
  });

  test.skipIf(!isRoot)('by a user without a home says what to set', async () => {
    for (const HOME of [undefined, '', 'home']) {
      for (const args of [
        ['serve', ...anyPorts],
        ['verify'],
        ['verify', '--store', 'file:~/x.db'],
      ]) {
        const run = await runAsNobody(args, { HOME });
        expect(run).toMatchObject({ status: 2, stderr: expect.stringMatching(oneLine) });
        expect(run.stderr).toMatch(/no home folder.* HOME or XDG_DATA_HOME.*--store/);
      }
    }
  });

  test.skipIf(!isRoot)('where the data folder cannot be made says so and what to do', async () => {
    const closed = join(sandbox.folder, 'closed');
    await mkdir(closed, { mode: 0o755 });
    for (const HOME of ['/nonexistent', closed]) {
      const run = await runAsNobody(['serve', ...anyPorts], { HOME });
      expect(run).toMatchObject({ status: 1, stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toMatch(/mlog\.db cannot be opened: EACCES.*--store file:/);
    }
  });

  /** Runs a copy of the program that anyone may read, wherever the project and Node are. */
  const runAsNobody = async (args: string[], env: NodeJS.ProcessEnv) => {
    await chmod(sandbox.folder, 0o755);
    const node = join(sandbox.folder, 'node');
    await copyFile(process.execPath, node);
    await chmod(node, 0o755);
    for (const part of ['bin', 'dist', 'package.json']) {
      await cp(join(root, part), join(sandbox.folder, part), { recursive: true });
    }
    return spawnSync(node, [join(sandbox.folder, 'bin', 'mlog.js'), ...args], {
      ...nobody,
      env: { PATH: process.env['PATH'], ...env },
      cwd: '/',
      encoding: 'utf8',
      timeout: 20_000,
    });
  };
});

describe('an output that takes nothing', () => {
  /** Runs a command whose stdout or stderr is a full disk. */
  const runFull = async (full: 1 | 2, args: string[], input = '') => {
    const file = openSync('/dev/full', 'w');
    try {
      const child = spawn(process.execPath, [programPath, ...args], {
        env: { PATH: process.env['PATH'], ...sandbox.env },
        stdio: ['pipe', full === 1 ? file : 'ignore', full === 2 ? file : 'pipe'],
        timeout: 20_000,
      });
      let stderr = '';
      child.stderr?.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
      child.stdin!.end(input);
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, stderr };
    } finally {
      closeSync(file);
    }
  };

  test('as stdout fails a command, which tells what was done all the same', async () => {
    const { facade } = await sandbox.serveAll();
    const at = ['--url', facade.url];
    const sent = await runFull(1, ['send', '--id', 'one', 'Its me', ...at]);
    expect(sent).toMatchObject({ code: 1, stderr: expect.stringMatching(oneLine) });
    expect(sent.stderr).toMatch(/stdout cannot be written: ENOSPC.*stored; its id is one/);
    const copy = join(sandbox.folder, 'copy.db');
    for (const args of [['list', ...at], ['backup', copy, ...at], ['--help']]) {
      const run = await runFull(1, args);
      expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(oneLine) });
    }
  });

  test('as stderr changes no outcome and no exit code', async () => {
    const { facade } = await sandbox.serveAll();
    const at = ['--url', facade.url];
    expect(await runFull(2, ['send', '--lines', ...at], 'a\nb\n')).toMatchObject({ code: 0 });
    const nowhere = ['--url', 'http://127.0.0.1:1', '--retry-delay-ms', '0'];
    expect(await runFull(2, ['send', 'x', ...nowhere])).toMatchObject({ code: 3 });
    expect(await runFull(2, ['send', '--bogus'])).toMatchObject({ code: 2 });
  });
});

test('a device is no cursor, and is not read without end', async () => {
  for (const path of ['/dev/full', '/dev/null', sandbox.folder]) {
    const run = await sandbox.run(['list', '--cursor', path]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringMatching(oneLine) });
    expect(run.stderr).toContain(`--cursor ${path} cannot be used`);
  }
});

describe('a program that has another one in between', () => {
  // Such a shell is between npm and mlog: SIGTERM ends it, and it does not pass the signal on.
  test('stops in order when the process that started it has ended', async () => {
    const command = `"${process.execPath}" "${programPath}" serve messages --port 0 "$@" & wait`;
    const env = { PATH: process.env['PATH'], ...sandbox.env };
    const shell = await startChild('sh', ['-c', command, 'sh', '--stop-on', 'parent'], { env });
    await shell.waitFor(() => /"msg":"Ready"/.exec(shell.stderr()) ?? undefined, 20_000);
    await shell.kill('SIGTERM');
    // Its output ends with the last process that has it.
    expect(shell.stderr()).toContain('"msg":"Stopped"');
  });

  test('is started so by `npm start`, with nothing that a shell of one platform has alone', async () => {
    const manifest = await readFile(join(root, 'package.json'), 'utf8');
    const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> };
    expect(scripts['start']).toBe('node bin/mlog.js serve --stop-on parent');
    for (const name of ['prestart', 'start', 'build', 'prepare']) {
      expect(scripts[name]).toMatch(/^[\w ./-]+$/);
    }
  });
});

describe('a Node that is too old', () => {
  test('can parse what has to say so, and package.json names the same version', async () => {
    const manifest = await readFile(join(root, 'package.json'), 'utf8');
    const { engines } = JSON.parse(manifest) as { engines: { node: string } };
    expect(engines.node).toBe('>=20.19');
    const text = await readFile(programPath, 'utf8');
    expect(text).not.toMatch(/^import |await |\?\.|\?\?|=> *\{[^}]*\.\.\./m);
    for (const [version, isOld] of [
      ['12.22.12', true],
      ['20.18.3', true],
      ['20.19.0', false],
    ]) {
      const script = `Object.defineProperty(process.versions, 'node', { value: '${String(version)}' });`;
      const preload = join(sandbox.folder, `${String(version)}.cjs`);
      await writeFile(preload, script);
      const args = ['--require', preload, programPath, 'list', '--url', 'http://127.0.0.1:1'];
      const run = spawnSync(process.execPath, args, { env: sandbox.env, encoding: 'utf8' });
      expect(run).toMatchObject({ status: isOld ? 1 : 3, stderr: expect.stringMatching(oneLine) });
      expect(run.stderr.includes('needs Node 20.19 or later')).toBe(isOld);
    }
  });
});
