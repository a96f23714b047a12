import { once } from 'node:events';
import * as http from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
/** Nothing listens there: port 1 belongs to a service of 1988. */
const nowhere = 'http://127.0.0.1:1';
const oneLine = /^mlog: [^\n]+\n$/;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

describe('mlog send', () => {
  let facade: Service;
  let logging: Service;
  let env: NodeJS.ProcessEnv;
  beforeEach(async () => {
    ({ facade, logging } = await sandbox.serveAll());
    env = { MLOG_URL: facade.url };
  });

  test('joins its words by a space and prints the id it made', async () => {
    const run = await sandbox.run(['send', 'Its', 'me ', 'Ünïcode 🙂'], { env });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const id = run.stdout.trim();
    expect(id).toMatch(uuid);
    expect(run.stdout).toBe(`${id}\n`);
    expect(await readEntries(logging.url)).toMatchObject([{ id, txt: 'Its me  Ünïcode 🙂' }]);
  });

  test('reads stdin byte for byte where the text is a dash', async () => {
    const input = '\uFEFFa\0b\r\n\n\u001B[31m  ünï🙂 \n';
    expect(await sandbox.run(['send', '-'], { env, input })).toMatchObject({ code: 0 });
    expect(await sandbox.run(['send', '--', '--json'], { env })).toMatchObject({ code: 0 });
    expect(await readEntries(logging.url)).toMatchObject([{ txt: input }, { txt: '--json' }]);
  });

  test('takes a text of a megabyte from stdin', async () => {
    const input = 'é'.repeat(524_288);
    expect(await sandbox.run(['send', '-'], { env, input })).toMatchObject({ code: 0, stderr: '' });
    expect(await readEntries(logging.url)).toMatchObject([{ txt: input }]);
    const refused = await sandbox.run(['send', '-'], { env, input: `${input}!` });
    expect(refused).toMatchObject({ code: 4, stdout: '', stderr: expect.stringMatching(oneLine) });
  });

  test('stores a message once when it is sent twice under one id', async () => {
    const args = ['send', '--id', 'order-17', 'Its me'];
    expect(await sandbox.run(args, { env })).toMatchObject({
      code: 0,
      stdout: 'order-17\n',
      stderr: '',
    });
    expect(await sandbox.run(args, { env })).toMatchObject({
      code: 0,
      stdout: 'order-17\n',
      stderr: '',
    });
    const asJson = await sandbox.run([...args, '--json'], { env });
    expect(asJson.stdout).toBe('{"id":"order-17","txt":"Its me","status":"duplicate"}\n');
    const fresh = await sandbox.run(['send', '--id', 'order-18', '--json', 'Hello'], { env });
    expect(fresh.stdout).toBe('{"id":"order-18","txt":"Hello","status":"logged"}\n');
    expect(await readEntries(logging.url)).toMatchObject([{ id: 'order-17' }, { id: 'order-18' }]);
  });

  test('prints nothing that could command a terminal', async () => {
    const message = { id: 'a\u202Eb', txt: '\u001B[2J\u009B31m \u202E\u{E0041}' };
    const args = ['send', '--id', message.id, message.txt];
    expect((await sandbox.run(args, { env })).stdout).toBe('a\\u{202e}b\n');
    const json = (await sandbox.run([...args, '--json'], { env })).stdout;
    const input = `${JSON.stringify(message)}\n`;
    const lines = ['send', '--ndjson', '--json'];
    const linesJson = (await sandbox.run(lines, { env, input })).stdout;
    for (const line of [json, linesJson]) {
      expect(line).toMatch(/^[^\p{Cc}\p{Cf}]+\n$/u);
      expect(JSON.parse(line)).toMatchObject({ id: message.id, status: 'duplicate' });
    }
    expect(JSON.parse(json)).toMatchObject(message);
  });

  test('ends with 5 on a conflict, and the first text stays', async () => {
    await sandbox.run(['send', '--id', 'one', 'Its me'], { env });
    const run = await sandbox.run(['send', '--id', 'one', 'another'], { env });
    expect(run).toMatchObject({ code: 5, stdout: '', stderr: expect.stringMatching(oneLine) });
    expect(await readEntries(logging.url)).toMatchObject([{ id: 'one', txt: 'Its me' }]);
  });

  test('tells a conflict as JSON too where it prints JSON', async () => {
    await sandbox.run(['send', '--id', 'one', 'Its me'], { env });
    const run = await sandbox.run(['send', '--id', 'one', '--json', 'another'], { env });
    expect(run).toMatchObject({ code: 5, stderr: expect.stringMatching(oneLine) });
    expect(JSON.parse(run.stdout)).toMatchObject({ id: 'one', status: 'conflict' });
  });

  test.each([['logging'], ['messages']] as const)(
    'says that it spoke to the %s service',
    async (role) => {
      const { url } = role === 'logging' ? logging : await sandbox.serve(role);
      for (const args of [['send', 'Its me'], ['send', '--lines'], ['list']]) {
        const run = await sandbox.run([...args, '--url', url], { input: 'Its me\n' });
        expect(run.code).toBe(1);
        expect(run.stderr).toContain(`${url} is the ${role} service, not a facade.`);
      }
    },
  );

  test('refuses an endless stdin before it fills the memory', async () => {
    const run = await startChild(
      '/bin/sh',
      ['-c', 'yes | "$0" --max-old-space-size=64 "$1" send -', process.execPath, programPath],
      { env: { ...sandbox.env, ...env, PATH: process.env['PATH'] } },
    );
    expect(await run.exited).toMatchObject({ code: 4 });
    expect(run.stderr()).toMatch(/stdin is larger than 67108864 bytes\. .*--lines/);
  });

  test.skipIf(process.platform !== 'linux')(
    'refuses what is not UTF-8 and takes U+FFFD',
    async () => {
      // Through a shell, because Node itself can only pass whole characters to a process.
      const shell = async (command: string) => {
        const child = await startChild('/bin/bash', ['-c', command], {
          env: {
            ...sandbox.env,
            ...env,
            PATH: process.env['PATH'],
            MLOG: programPath,
            NODE: process.execPath,
          },
        });
        return { ...(await child.exited), stdout: child.stdout(), stderr: child.stderr() };
      };
      const refused = [
        [
          `"$NODE" "$MLOG" send --id $'Stra\\xdfe' x`,
          4,
          'Argument 3, behind --id, is not valid UTF-8.',
        ],
        [`"$NODE" "$MLOG" send word $'Stra\\xe9e'`, 4, 'Argument 3 is not valid UTF-8.'],
        [
          `"$NODE" "$MLOG" send --lines --file=$'\\xff'`,
          4,
          'Argument 3, behind --lines, is not valid UTF-8.',
        ],
        [`MLOG_URL=$'http://a\\xff' "$NODE" "$MLOG" list`, 2, 'MLOG_URL is not valid UTF-8.'],
      ] as const;
      for (const [command, code, said] of refused) {
        const run = await shell(command);
        expect(run).toMatchObject({ code, stdout: '' });
        expect(run.stderr).toContain(said);
      }
      expect(await shell(`"$NODE" "$MLOG" send --id $'\\xef\\xbf\\xbd' x`)).toMatchObject({
        code: 0,
        stdout: '\uFFFD\n',
      });
      expect(await readEntries(logging.url)).toMatchObject([{ id: '\uFFFD', txt: 'x' }]);
    },
  );

  test.each([
    ['an empty text', ['']],
    ['empty stdin', ['-']],
    ['an empty id', ['--id', '', 'Its me']],
    ['an id of 257 bytes', ['--id', `${'x'.repeat(255)}é`, 'Its me']],
  ])('ends with 4 on %s, in one line', async (_, args) => {
    const run = await sandbox.run(['send', ...args], { env });
    expect(run).toMatchObject({ code: 4, stdout: '', stderr: expect.stringMatching(oneLine) });
    expect(await readEntries(logging.url)).toStrictEqual([]);
  });

  test('refuses a line that is too long to be read, and sends the others', async () => {
    const input = `${'x'.repeat(2 ** 26 + 1)}\nIts me\n`;
    const run = await sandbox.run(['send', '--lines'], { env, input });
    expect(run).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^Line 1 is refused: .*long/),
    });
    expect(await readEntries(logging.url)).toMatchObject([{ txt: 'Its me' }]);
  });

  test('ends with 4 on stdin that is not UTF-8', async () => {
    const run = await sandbox.run(['send', '-'], { env, input: new Uint8Array([0x61, 0xff]) });
    expect(run).toMatchObject({ code: 4, stderr: expect.stringMatching(/UTF-8/) });
    expect(await readEntries(logging.url)).toStrictEqual([]);
  });
});

describe('mlog send without a facade', () => {
  const env = { MLOG_URL: nowhere, MLOG_RETRY_DELAY_MS: '20' };

  test('ends with 3 after three attempts and names the id to use again', async () => {
    const run = await sandbox.run(['send', 'Its me'], { env });
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr.trimEnd().split('\n')).toStrictEqual([
      // The hint appears at once, not after the last attempt.
      expect.stringMatching(
        /^Attempt 1 of 3 failed: .*127\.0\.0\.1:1.* Is it started \(`mlog serve`\)/,
      ),
      expect.stringMatching(/^Attempt 2 of 3 failed: /),
      expect.stringMatching(/^mlog: (?:All )?3 attempts failed.*--id [\da-f]{8}-[\da-f-]{27} /),
    ]);
    expect(run.stderr).toContain('It is not stored.');
    const named = await sandbox.run(['send', '--id', 'order-17', 'Its me'], { env });
    expect(named).toMatchObject({ code: 3, stderr: expect.stringMatching(/--id order-17 /) });
  });

  test('gets the message through when the facade comes in time', async () => {
    const { facade } = await sandbox.serveAll();
    await facade.kill('SIGTERM');
    const args = ['send', '--id', 'one', '--url', facade.url, '--attempts-max', '1000', 'Its me'];
    const sending = await startChild(process.execPath, [programPath, ...args], {
      env: { ...sandbox.env, MLOG_RETRY_DELAY_MS: '20' },
    });
    await sending.waitFor(() => sending.stderr().includes('Attempt 2 ') || undefined, 10_000);
    const { logging } = await sandbox.serveAll('--port', portOf(facade.url));
    expect(await sending.exited).toStrictEqual({ code: 0, signal: null });
    expect(sending.stdout()).toBe('one\n');
    expect(await readEntries(logging.url)).toMatchObject([{ id: 'one', txt: 'Its me' }]);
  });

  test('ends with the reply of a facade that has not read all and keeps the connection', async () => {
    const reply = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"id":"I"}';
    const hasty = createServer((socket) => {
      socket.once('data', () => socket.pause().write(reply));
      sandbox.defer(() => socket.destroy());
    }).listen(0, '127.0.0.1');
    sandbox.defer(() => hasty.close());
    await once(hasty, 'listening');
    const { port } = hasty.address() as AddressInfo;
    const args = ['send', '--url', `http://127.0.0.1:${port}`, '-'];
    const run = await sandbox.run(args, { input: 'x'.repeat(8_000_000) });
    expect(run).toStrictEqual({ code: 0, signal: null, stdout: 'I\n', stderr: '' });
  });

  test('says that a full disk has not stored the message', async () => {
    const full = http.createServer((request, response) => {
      request.resume();
      const detail = 'The disk is full.';
      response.writeHead(507, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ detail, code: 'storage_full' }));
    });
    sandbox.defer(() => full.close());
    await once(full.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(full.address() as AddressInfo).port}`;
    const run = await sandbox.run(['send', 'Its me'], { env: { ...env, MLOG_URL: url } });
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toMatch(
      /\nmlog: 3 attempts failed\. .*507: The disk is full\. It is not stored\./,
    );
  });

  test('ends with 3 for a list too', async () => {
    const run = await sandbox.run(['list'], { env });
    expect(run).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(oneLine) });
  });
});
