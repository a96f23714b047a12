import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { postForm } from '../support/http.ts';
import { openSandbox, type Sandbox } from '../support/sandbox.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const lineTimeoutMs = 5_000;

const withSandbox = async (env: NodeJS.ProcessEnv, use: (sandbox: Sandbox) => Promise<void>) => {
  const sandbox = await openSandbox(env);
  try {
    await use(sandbox);
  } finally {
    await sandbox.close();
  }
};

describe.runIf(process.platform !== 'win32')('a service', () => {
  test('stops in order when its terminal is closed', () =>
    withSandbox({ _: '/usr/bin/node' }, async (sandbox) => {
      const { facade } = await sandbox.serveAll();
      expect((await postForm(facade.url, { txt: 'kept' })).status).toBe(200);
      expect((await facade.kill('SIGHUP')).code).toBe(0);
      expect(facade.stderr()).toContain('"Stopped"');
    }));

  test('opens no debugger at SIGUSR1, and goes on', () =>
    withSandbox({}, async (sandbox) => {
      const logging = await sandbox.serve('logging');
      process.kill(logging.pid, 'SIGUSR1');
      expect((await postForm(`${logging.url}/logging`, { id: 'a', txt: 'x' })).status).toBe(201);
      expect((await logging.kill('SIGTERM')).code).toBe(0);
      expect(logging.stderr()).not.toContain('Debugger');
    }));

  test('survives its terminal where the shell says that nohup started it', () =>
    withSandbox({ _: '/usr/bin/nohup' }, async (sandbox) => {
      const { facade } = await sandbox.serveAll();
      process.kill(facade.pid, 'SIGHUP');
      expect((await postForm(facade.url, { txt: 'kept' })).status).toBe(200);
      expect((await facade.kill('SIGTERM')).code).toBe(0);
    }));

  test('survives its terminal where nohup gave it a stdin that cannot be read', () =>
    withSandbox({ _: '/usr/bin/sh' }, async ({ env, store }) => {
      const child = await startChild(
        'sh',
        [
          '-c',
          'exec "$0" "$@" 0>/dev/null',
          process.execPath,
          programPath,
          'serve',
          'logging',
        ].concat(['--port', '0', '--store', store]),
        { env: { ...process.env, ...env } },
      );
      await child.waitFor(() => child.stderr().includes('"Ready"') || undefined, lineTimeoutMs);
      process.kill(child.pid, 'SIGHUP');
      process.kill(child.pid, 'SIGTERM');
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(child.stderr()).toContain('"signal":"SIGTERM"');
    }));
});

describe.runIf(process.platform !== 'win32')('mlog list --follow', () => {
  test.each([
    ['ends when its terminal is closed', '/usr/bin/node', { code: null, signal: 'SIGHUP' }],
    ['survives its terminal under nohup', '/usr/bin/nohup', { code: null, signal: 'SIGTERM' }],
  ])('%s', (_, shell, exit) =>
    withSandbox({ _: shell }, async (sandbox) => {
      const { facade } = await sandbox.serveAll();
      await postForm(facade.url, { txt: 'first' });
      const child = await startChild(
        process.execPath,
        [programPath, 'list', '--follow', '--url', facade.url],
        { env: { ...process.env, ...sandbox.env } },
      );
      await child.waitFor(() => child.stdout().includes('first') || undefined, lineTimeoutMs);
      process.kill(child.pid, 'SIGHUP');
      if (exit.signal === 'SIGTERM') {
        await postForm(facade.url, { txt: 'second' });
        await child.waitFor(() => child.stdout().includes('second') || undefined, lineTimeoutMs);
        process.kill(child.pid, 'SIGTERM');
      }
      expect(await child.exited).toEqual(exit);
    }),
  );
});
