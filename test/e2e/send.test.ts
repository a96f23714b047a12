import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
/** Nothing listens there: port 1 is for a service of 1988 that nobody runs. */
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
      expect.stringMatching(/^Attempt 1 of 3 failed: .*127\.0\.0\.1:1/),
      expect.stringMatching(/^Attempt 2 of 3 failed: /),
      expect.stringMatching(/^mlog: (?:All )?3 attempts failed.*--id [\da-f]{8}-[\da-f-]{27} /),
    ]);
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

  test('ends with 3 for a list too', async () => {
    const run = await sandbox.run(['list'], { env });
    expect(run).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(oneLine) });
  });
});
