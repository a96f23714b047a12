import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { request } from '../support/http.ts';
import { openSandbox, type Sandbox, type Service } from '../support/sandbox.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const oneLine = /^mlog: [^\n]+\n$/;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('mlog list', () => {
  let env: NodeJS.ProcessEnv;
  let facade: Service;
  beforeEach(async () => {
    ({ facade } = await sandbox.serveAll());
    env = { MLOG_URL: facade.url };
  });

  const sendLines = async (messages: { id?: string; txt: string }[]): Promise<void> => {
    const reply = await request(facade.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: messages.map((message) => `${JSON.stringify(message)}\n`).join(''),
    });
    expect(reply.status).toBe(200);
  };

  test('prints nothing for an empty journal', async () => {
    expect(await sandbox.run(['list'], { env })).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await sandbox.run(['list', '--json'], { env })).toMatchObject({ code: 0, stdout: '' });
  });

  test('makes visible what could command a terminal', async () => {
    await sendLines([
      { txt: 'plain Ünïcode 🙂' },
      { txt: 'a\r\n\tb\0c\u007F' },
      { txt: '\u001B]0;title\u0007\u001B[2J\u009B31m' },
      {
        txt: 'one family 👨\u200D👩\u200D👧, \u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645, a\u200Bb',
      },
      { txt: 'user\u202Etxt.exe\u2066 \u200F\u2028\uFEFF' },
    ]);
    expect((await sandbox.run(['list'], { env })).stdout).toBe(
      [
        'plain Ünïcode 🙂',
        String.raw`a\r\n\tb\u{0}c\u{7f}`,
        String.raw`\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m`,
        'one family 👨\u200D👩\u200D👧, \u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645, a\\u{200b}b',
        String.raw`user\u{202e}txt.exe\u{2066} \u{200f}\u{2028}\u{feff}`,
        '',
      ].join('\n'),
    );
  });

  test('prints entries as JSON, a line each, with the same text and nothing invisible', async () => {
    const txt = 'Ünïcode 🙂 \u001B[2J\u202E\u2028\u{E0041}\n\0';
    await sendLines([{ id: 'one', txt }, { txt: 'Its me' }]);
    const { code, stdout } = await sandbox.run(['list', '--json'], { env });
    expect(code).toBe(0);
    const [first, second, ...rest] = stdout.split('\n');
    expect(rest).toStrictEqual(['']);
    expect(first).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
    expect(JSON.parse(first!)).toStrictEqual({ seq: 1, id: 'one', txt, at });
    expect(JSON.parse(second!)).toStrictEqual({ seq: 2, id: expect.anything(), txt: 'Its me', at });
  });

  test('narrows the list by number and by count', async () => {
    await sendLines(['1', '2', '3', '4', '5'].map((txt) => ({ txt })));
    for (const [args, expected] of [
      [[], '1\n2\n3\n4\n5\n'],
      [['--after', '3'], '4\n5\n'],
      [['--limit', '2'], '1\n2\n'],
      [['--last', '2'], '4\n5\n'],
      [['--after', '1', '--limit', '2'], '2\n3\n'],
      [['--after', '3', '--last', '4'], '4\n5\n'],
      [['--after', '5'], ''],
      [['--limit', '0'], ''],
    ] as const) {
      const run = await sandbox.run(['list', ...args], { env });
      expect(run, args.join(' ')).toMatchObject({ code: 0, stdout: expected, stderr: '' });
    }
  });

  test('ends with 6 on a position that the journal never had', async () => {
    await sendLines([{ txt: '1' }]);
    for (const args of [
      ['--after', '2'],
      ['--after', '2', '-f'],
      ['--after', '9', '--json'],
    ]) {
      const run = await sandbox.run(['list', ...args], { env });
      expect(run).toMatchObject({ code: 6, stdout: '', stderr: expect.stringMatching(oneLine) });
      expect(run.stderr).toContain('the journal ends at 1');
    }
  });

  test.each([
    [['--limit', '1', '--last', '1'], /--limit.*--last/],
    [['--after', '-1'], /--after/],
    [['--limit', '1.5'], /--limit/],
    [['--last', 'ten'], /--last/],
    [['--after', ''], /--after/],
    [['--limit', '99999999999999999999'], /--limit/],
  ])('ends with 2 on %j', async (args, said) => {
    const run = await sandbox.run(['list', ...args], { env });
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(said) });
  });

  test('is quiet and ends with 0 when its reader goes away', async () => {
    const txt = 'x'.repeat(10_000);
    await sendLines(Array.from({ length: 200 }, () => ({ txt })));
    const script = '{ "$0" "$1" list; echo "exit $?" >&2; } | head -n 1';
    const shell = await startChild('sh', ['-c', script, process.execPath, programPath], {
      env: { ...sandbox.env, ...env, PATH: process.env['PATH'] },
    });
    expect(await shell.exited).toStrictEqual({ code: 0, signal: null });
    expect(shell.stdout()).toBe(`${txt}\n`);
    expect(shell.stderr()).toBe('exit 0\n');
  });

  test('says what it is that answers when that is no facade', async () => {
    const { messages } = await sandbox.serveAll('--store', 'memory:');
    const run = await sandbox.run(['list', '--url', messages.url], { env });
    expect(run).toMatchObject({ stdout: '', stderr: expect.stringMatching(oneLine) });
    expect(run.code).not.toBe(0);
  });

  test('says so of a page that is answered with 200', async () => {
    const server = createServer((_, response) => response.end('<html></html>')).listen(
      0,
      '127.0.0.1',
    );
    sandbox.defer(() => server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const run = await sandbox.run(['list', '--url', url], { env });
    expect(run).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('not a facade'),
    });
  });

  test.each([[['list']], [['list', '--follow']]])(
    'names what is away behind the facade, as %j',
    async (args) => {
      const away = 'http://127.0.0.1:1';
      const lonely = await sandbox.serve('facade', '--logging', away);
      const run = await sandbox.run([...args, '--last', '1', '--url', lonely.url], { env });
      expect(run.code).toBe(3);
      expect(run.stderr).toContain(`Nothing listens at ${away}.`);
    },
  );
});

describe('stdout', () => {
  const unwritten = /^(?:\d+ logged\n)?mlog: stdout cannot be written: [^\n]+\n$/;

  const runInto = async (file: string, args: readonly string[]) => {
    const script = ['-c', `exec "$0" "$@" > ${file}`, process.execPath, programPath, ...args];
    const shell = await startChild('sh', script, {
      env: { ...sandbox.env, PATH: process.env['PATH'] },
      cwd: sandbox.folder,
    });
    const { code } = await shell.exited;
    return { code, stderr: shell.stderr() };
  };

  test.each([['--help'], ['--version'], ['list', '--help'], ['help']])(
    'says that stdout cannot be written by `mlog %s %s`',
    async (...args) => {
      const run = await runInto('/dev/full', args);
      expect(run).toStrictEqual({ code: 1, stderr: expect.stringMatching(unwritten) });
    },
  );

  test.each([
    ['list', []],
    ['list', ['--json']],
    ['send', ['x']],
    ['send', ['--json', 'x']],
    ['send', ['--lines', '--json', '-f', '/etc/passwd']],
    ['backup', ['copy.db']],
  ])('says that stdout cannot be written by `mlog %s` with %j', async (name, args) => {
    const { facade } = await sandbox.serveAll();
    await sandbox.run(['send', '--url', facade.url, 'Its me']);
    const run = await runInto('/dev/full', [name, '--url', facade.url, ...args]);
    expect(run).toStrictEqual({ code: 1, stderr: expect.stringMatching(unwritten) });
  });

  test('is quiet where the reader of the help goes away', async () => {
    const script = '{ sleep 0.3; "$0" "$1" --help; echo "exit $?" >&2; } | true';
    const shell = await startChild('sh', ['-c', script, process.execPath, programPath]);
    await shell.exited;
    expect(shell.stderr()).toBe('exit 0\n');
  });
});
