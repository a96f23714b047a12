import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Metadata, status, type Client } from '@grpc/grpc-js';
import { beforeEach, describe, expect, test } from 'vitest';
import { callBytes, openReferenceClient } from '../support/grpc.ts';
import { request, type Reply } from '../support/http.ts';
import { openSandbox, type Sandbox, type Services } from '../support/sandbox.ts';

let sandbox: Sandbox;
let file: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  file = join(sandbox.folder, 'tokens');
  await writeFile(file, 'app write secret-of-app\nboard read secret-of-board\n', { mode: 0o600 });
  return () => sandbox.close();
});

const as = (token?: string) => (token === undefined ? {} : { authorization: `Bearer ${token}` });
const get = (url: string, token?: string) => request(url, { headers: as(token) });
const post = (url: string, token?: string): Promise<Reply> =>
  request(url, {
    method: 'POST',
    headers: { 'content-type': 'text/plain', ...as(token) },
    body: 'one',
  });
const postLogging = (url: string, token?: string): Promise<Reply> =>
  request(`${url}/logging`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...as(token) },
    body: '{"id":"a","txt":"one"}',
  });

const serveApart = async (): Promise<Services> => {
  const logging = await sandbox.serve('logging', '--token-file', file);
  const messages = await sandbox.serve('messages', '--token-file', file, '--follow', logging.url);
  const below = ['--logging', logging.url, '--messages', messages.url];
  return {
    logging,
    messages,
    facade: await sandbox.serve('facade', '--token-file', file, ...below),
  };
};

describe.each([
  ['one process', () => sandbox.serveAll('--token-file', file)],
  ['three processes', serveApart],
] as const)('services with tokens in %s', (_, serve) => {
  test('answer who sends one, as far as it goes, and nobody else', async () => {
    const { facade, logging, messages } = await serve();
    const lists = [facade.url, `${logging.url}/logging`, `${messages.url}/messages`];
    for (const url of [...lists, `${facade.url}/nowhere`]) {
      for (const token of [undefined, 'secret-of-apps']) {
        const reply = await get(url, token);
        expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
      }
    }
    expect((await post(facade.url)).status).toBe(401);
    expect((await post(facade.url, 'secret-of-board')).status).toBe(403);
    expect((await postLogging(logging.url, 'secret-of-board')).status).toBe(403);
    expect((await post(facade.url, 'secret-of-app')).status).toBe(200);
    expect((await postLogging(logging.url, 'secret-of-app')).status).toBe(201);
    for (const url of lists) expect((await get(url, 'secret-of-board')).status, url).toBe(200);
    expect((await get(lists[1]!, 'secret-of-board')).text.trim()).toBe('["one","one"]');
  });

  test('answer probes without one, by the status alone', async () => {
    const services = await serve();
    for (const { url } of Object.values(services)) {
      for (const path of ['/livez', '/readyz', '/healthz']) {
        const reply = await get(url + path);
        expect(reply).toMatchObject({ status: 200, text: '' });
        expect(Object.keys(reply.headers).filter((name) => name.startsWith('mlog'))).toEqual([]);
        expect((await get(url + path, 'secret-of-board')).text).toContain('"role"');
      }
    }
  });

  test('never tell one in the diagnostics', async () => {
    const services = await serve();
    await post(services.facade.url, 'secret-of-board');
    await post(services.facade.url, 'secret-of-app');
    for (const { stderr } of Object.values(services)) expect(stderr()).not.toContain('secret-of');
  });
});

test('gRPC asks for one too, but not to say whether the service is well', async () => {
  const { grpc } = (await sandbox.serveAll('--token-file', file)).logging.ready as { grpc: string };
  const { client, logMessage } = openReferenceClient(grpc);
  sandbox.defer(() => client.close());
  await expect(logMessage({ id: 'a', txt: 'b' })).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
  });
  const call = (path: string, token: string) => callWith(client, path, token);
  await expect(call('/LoggingService/LogMessage', 'secret-of-board')).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  await expect(call('/LoggingService/LogMessage', 'secret-of-app')).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
  await expect(call('/LoggingService/GetMessages', 'secret-of-board')).resolves.toBeDefined();
  await expect(call('/LoggingService/GetMessages', 'no')).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
  });
  await expect(callBytes(client, '/grpc.health.v1.Health/Check', Buffer.alloc(0))).resolves.toEqual(
    Buffer.from([8, 1]),
  );
});

const callWith = (client: Client, path: string, token: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const same = (bytes: Buffer) => bytes;
    client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, (error, reply) =>
      error ? reject(error) : resolve(reply),
    );
  });

test.each(['http', 'grpc'] as const)('facade and replica send theirs over %s', async (wire) => {
  const logging = await sandbox.serve('logging', '--token-file', file);
  const at = String(logging.ready[wire === 'http' ? 'logging' : 'grpc']);
  const own = join(sandbox.folder, 'own');
  await writeFile(own, 'secret-of-app', { mode: 0o600 });
  const facade = await sandbox.serve('facade', '--logging', at, '--upstream-token-file', own);
  const replica = await sandbox.serve('messages', '--follow', at, '--upstream-token-file', own);
  expect((await post(facade.url)).status).toBe(200);
  const followed = () => get(`${replica.url}/messages`).then(({ text }) => text.trim());
  await expect.poll(followed, { timeout: 10_000 }).toBe('["one"]');

  // Without a token, the fault is the facade's and not that of its client.
  const wrong = await sandbox.serve('facade', '--logging', at);
  for (const reply of [await post(wrong.url), await get(`${wrong.url}/?after=0`)]) {
    expect(reply.status).toBe(502);
    expect(reply.text).toContain('--upstream-token-file');
  }
});

test('a facade tells that the logging service does not know its host', async () => {
  const other = createServer((_, response) => response.writeHead(421).end());
  await once(other.listen(0, '127.0.0.1'), 'listening');
  sandbox.defer(() => other.close().closeAllConnections());
  const at = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const facade = await sandbox.serve('facade', '--logging', at);
  for (const reply of [await post(facade.url), await get(`${facade.url}/?after=0`)]) {
    expect(reply.status).toBe(502);
    expect(reply.text).toContain('--allow-host');
  }
});

test('a command sends the one of the file or of MLOG_TOKEN, and fails once without', async () => {
  const { facade } = await sandbox.serveAll('--token-file', file);
  const at = ['--url', facade.url];
  const env = { MLOG_TOKEN: 'secret-of-app' };
  const lines = { input: 'two\n' };
  expect(await sandbox.run(['send', 'one', ...at], { env })).toMatchObject({ code: 0 });
  expect(await sandbox.run(['send', '--lines', ...at, '--token-file', file], lines)).toMatchObject({
    code: 0,
  });
  expect(await sandbox.run(['list', ...at], { env })).toMatchObject({
    code: 0,
    stdout: 'one\ntwo\n',
  });
  expect(await sandbox.run(['backup', 'copy.db', ...at], { env })).toMatchObject({ code: 0 });
  const wrong = { env: { MLOG_TOKEN: 'wrong-token' } };
  const reader = { env: { MLOG_TOKEN: 'secret-of-board' } };
  for (const [args, options, words] of [
    [['send', 'x'], {}, 'needs a token'],
    [['send', 'x'], wrong, 'does not know this token'],
    [['send', 'x'], reader, 'may read but not write'],
    [['send', '--lines'], { ...reader, ...lines }, 'may read but not write'],
    [['list'], wrong, 'does not know this token'],
    [['list', '-f'], wrong, 'does not know this token'],
    [['backup', 'other.db'], wrong, 'does not know this token'],
  ] as const) {
    const run = await sandbox.run([...args, ...at], options);
    expect(run, args.join(' ')).toMatchObject({ code: 7 });
    expect(run.stderr).toContain(words);
    expect(run.stderr).not.toMatch(/Attempt|secret-of|wrong-token/);
  }
});

test('is read again on SIGHUP: an old one holds as long as the file says so', async () => {
  const { facade } = await sandbox.serveAll('--token-file', file);
  const reread = async (text: string, said: RegExp) => {
    await writeFile(file, text);
    const before = facade.lines().length;
    process.kill(facade.pid, 'SIGHUP');
    await facade.waitForLine(
      (line) => facade.lines().indexOf(line) >= before && said.test(String(line['msg'])),
      5_000,
    );
  };
  const statuses = async () => [
    (await post(facade.url, 'secret-of-app')).status,
    (await post(facade.url, 'next')).status,
  ];
  expect(await statuses()).toEqual([200, 401]);
  await reread('app write secret-of-app\nnext write next\n', /read again/);
  expect(await statuses()).toEqual([200, 200]);
  await reread('next write next\n', /read again/);
  expect(await statuses()).toEqual([401, 200]);
  await reread('not a line\n', /still hold/);
  expect(await statuses()).toEqual([401, 200]);
});

test('is read again by each worker', async () => {
  const logging = await sandbox.serve('logging', '--token-file', file);
  const below = ['--logging', logging.url, '--token-file', file, '--workers', '2'];
  const facade = await sandbox.serve('facade', ...below);
  const said = (text: string) => facade.lines().filter(({ msg }) => msg === text).length;
  await facade.waitForLine(() => said('Ready') === 2, 10_000);
  await writeFile(file, 'app write secret-of-app\nnext write next\n');
  process.kill(facade.pid, 'SIGHUP');
  await facade.waitForLine(() => said('The tokens were read again') === 2, 5_000);
  for (let n = 0; n < 10; n += 1) expect((await post(facade.url, 'next')).status).toBe(200);
});

test('from MLOG_TOKEN cannot be read again, so SIGHUP stops the service', async () => {
  sandbox.env['MLOG_TOKEN'] = 'secret-of-app';
  const { kill } = await sandbox.serve('messages');
  expect(await kill('SIGHUP')).toMatchObject({ code: 0 });
});

test('is refused at the start where it is bad, or where everyone would get in', async () => {
  const serve = ['serve', 'messages', '--port', '0'];
  await chmod(file, 0o644);
  for (const [args, env, words] of [
    [['--token-file', file], {}, `chmod 600 ${file}`],
    [['--token-file', join(sandbox.folder, 'none')], {}, 'cannot be read'],
    [['--token', 'secret-of-app'], {}, '--token'],
    [[], { MLOG_TOKEN: 'a b' }, 'Line 1 of MLOG_TOKEN'],
    [['--host', '0.0.0.0'], {}, '--insecure-no-auth'],
    [['--host', '::'], {}, '--token-file or MLOG_TOKEN'],
    [[], { MLOG_HOST: '0.0.0.0' }, '--insecure-no-auth'],
    [[], { MLOG_INSECURE_NO_AUTH: 'yes' }, 'true or false'],
  ] as const) {
    const run = await sandbox.run([...serve, ...args], { env });
    expect(run, args.join(' ')).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain(words);
    expect(run.stderr).not.toContain('secret-of-app');
  }
});

test.each([
  ['a token', [], { MLOG_TOKEN: 'secret-of-app' }],
  ['--insecure-no-auth', ['--insecure-no-auth'], {}],
  ['MLOG_INSECURE_NO_AUTH=true', [], { MLOG_INSECURE_NO_AUTH: 'true' }],
] as const)('a service listens to other machines with %s', async (_, args, env) => {
  Object.assign(sandbox.env, env);
  const { url } = await sandbox.serve('messages', '--host', '0.0.0.0', ...args);
  expect((await get(`${url.replace('0.0.0.0', '127.0.0.1')}/livez`)).status).toBe(200);
});
