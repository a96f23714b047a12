import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Child, startChild } from '../support/child.ts';
import { request } from '../support/http.ts';
import { openSandbox, type Sandbox, type Services } from '../support/sandbox.ts';

// `mlog list --exec`: the position moves only after a command has taken the message.

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const waitMs = 15_000;

let sandbox: Sandbox;
let services: Services;
let env: NodeJS.ProcessEnv;
let cursor: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  services = await sandbox.serveAll();
  env = { MLOG_URL: services.facade.url, PATH: process.env['PATH'] };
  cursor = join(sandbox.folder, 'mlog.cursor');
  await post('one', 'two\n', 'three');
  return () => sandbox.close();
});

const post = async (...texts: string[]): Promise<void> => {
  const body = texts.map((txt) => `${JSON.stringify({ txt })}\n`).join('');
  const headers = { 'content-type': 'application/x-ndjson' };
  const reply = await request(services.facade.url, { method: 'POST', headers, body });
  expect(reply).toMatchObject({ status: 200 });
};

const run = (...args: string[]) => sandbox.run(['list', ...args], { env });

const start = async (...args: string[]): Promise<Child> => {
  const child = await startChild(process.execPath, [programPath, 'list', ...args], {
    env: { ...sandbox.env, ...env },
    cwd: sandbox.folder,
  });
  sandbox.defer(() => child.kill());
  return child;
};

const position = async () => Number.parseInt(await readFile(cursor, 'utf8'));

describe('mlog list --exec', () => {
  test('hands each message on, its text as it is, and prints what the command prints', async () => {
    expect(await run('--exec', 'cat; echo .')).toMatchObject({
      code: 0,
      stdout: 'one.\ntwo\n.\nthree.\n',
      stderr: '',
    });
    const json = await run('--exec', 'cat', '--json', '--after', '1');
    expect(json).toMatchObject({ code: 0 });
    const entries = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(entries).toMatchObject([
      { seq: 2, txt: 'two\n' },
      { seq: 3, txt: 'three' },
    ]);
  });

  test('hands on as many at once as it may, a line each', async () => {
    const batched = await run('--exec', 'wc -l | tr -d " "', '--exec-batch', '2');
    expect(batched).toMatchObject({ code: 0, stdout: '2\n1\n' });
    expect(await run('--exec', 'cat', '--exec-batch', '9')).toMatchObject({
      stdout: 'one\ntwo\\n\nthree\n',
    });
  });

  test('moves the position behind a message when its command has ended with 0', async () => {
    // The command fails for the second message until a file exists.
    const command = 'read txt; test "$txt" != two || test -e ready';
    const args = ['--cursor', cursor, '--exec', command];
    const failed = await run(...args);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toBe(
      'mlog: The command of --exec ended with 1 for entry 2. The position stays after entry 1; the next run starts there.\n',
    );
    expect(await position()).toBe(1);
    await writeFile(join(sandbox.folder, 'ready'), '');
    expect(await run(...args)).toMatchObject({ code: 0, stderr: '' });
    expect(await position()).toBe(3);
    expect(await run('--cursor', cursor, '--exec', 'cat')).toMatchObject({ code: 0, stdout: '' });
  });

  test('tries a message again as often as it is told to', async () => {
    const command = 'cat >> tries; test $(wc -l < tries) -ge 2';
    const args = ['--last', '1', '--json', '--exec', command, '--exec-attempts', '2'];
    const retried = await run(...args);
    expect(retried).toMatchObject({ code: 0 });
    expect(retried.stderr).toMatch(/ended with 1 for entry 3\. Attempt 1 of 2\.\n$/);
    expect((await readFile(join(sandbox.folder, 'tries'), 'utf8')).split('\n')).toHaveLength(3);
  });

  test('takes a command that reads nothing for a success, and one that is not there for none', async () => {
    await post('x'.repeat(500_000));
    expect(await run('--exec', 'true')).toMatchObject({ code: 0, stderr: '' });
    expect(await run('--exec', 'no-such-command 2>&1')).toMatchObject({ code: 1 });
    expect(await run('--exec', 'kill -9 $$')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was ended by SIGKILL'),
    });
  });

  test('goes on with messages as they come', async () => {
    const list = await start('-f', '--cursor', cursor, '--exec', 'cat; echo .');
    await list.waitFor(() => (list.stdout().endsWith('three.\n') ? true : undefined), waitMs);
    await post('four');
    await list.waitFor(() => (list.stdout().endsWith('four.\n') ? true : undefined), waitMs);
    await vi.waitFor(async () => expect(await position()).toBe(4), { timeout: waitMs });
    expect(await list.kill('SIGINT')).toStrictEqual({ code: null, signal: 'SIGINT' });
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('lets a command finish on %s', async (signal) => {
    const command = 'echo begun; until test -e go; do sleep 0.05; done; cat; echo .';
    const list = await start('--cursor', cursor, '--exec', command);
    await list.waitFor(() => (list.stdout() === 'begun\n' ? true : undefined), waitMs);
    const ended = list.kill(signal);
    await writeFile(join(sandbox.folder, 'go'), '');
    expect(await ended).toStrictEqual({ code: null, signal });
    expect(list.stdout()).toBe('begun\none.\n');
    expect(await position()).toBe(1);
  });

  test.each([
    [['--exec', '']],
    [['--exec-batch', '2']],
    [['--exec-attempts', '2']],
    [['--exec', 'cat', '--exec-batch', '0']],
    [['--exec', 'cat', '--exec-attempts', 'x']],
  ])('refuses %j', async (args) => {
    const refused = await run(...args);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('--exec');
  });
});
