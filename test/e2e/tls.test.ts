import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { createAuthority, type Authority, type Pair } from '../support/certificates.ts';
import { startFollower } from '../support/events.ts';
import { request, type Reply, type RequestOptions } from '../support/http.ts';
import { openSandbox, portOf, type Sandbox, type Service } from '../support/sandbox.ts';

const run = promisify(execFile);

let sandbox: Sandbox;
let authority: Authority;
let own: Pair;
let ca: string;
beforeEach(async () => {
  sandbox = await openSandbox();
  authority = await createAuthority(sandbox.folder);
  own = await authority.issue('service');
  ca = await readFile(authority.cert, 'utf8');
  return () => sandbox.close();
});

const tlsFlags = ({ cert, key }: Pair) => ['--tls-cert', cert, '--tls-key', key];
const behindFlags = ({ cert, key }: Pair) => [
  '--upstream-tls-cert',
  cert,
  '--upstream-tls-key',
  key,
];
const contentOf = async ({ cert, key }: Pair) => ({
  cert: await readFile(cert, 'utf8'),
  key: await readFile(key, 'utf8'),
});
const get = (url: string, tls: RequestOptions['tls'] = { ca }) => request(url, { tls });
const post = (url: string, txt: string, tls?: RequestOptions['tls']): Promise<Reply> => {
  const headers = { 'content-type': 'text/plain' };
  return request(url, { method: 'POST', headers, body: txt, ...(tls && { tls }) });
};
/** What a service says on a line of Node that gets no more fixes. */
const oldNode = /no security fixes/;
const trust = () => ['--ca', authority.cert];

/** Connects to a service over TLS, and waits for the end of the handshake. */
const shakeHands = async (url: string, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const port = Number(portOf(url));
  const socket = connect({ host: '127.0.0.1', port, ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
};

/** Returns the name in the certificate that a service shows. */
const nameShownBy = async (url: string): Promise<string> => {
  const h2 = url.startsWith('grpcs') ? ['h2'] : undefined;
  const socket = await shakeHands(url, h2 && { ALPNProtocols: h2 });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
};

describe.each(['https', 'grpcs'] as const)('with %s to the logging service', (scheme) => {
  const addressOf = ({ url, ready }: Service) => (scheme === 'https' ? url : String(ready['grpc']));

  test('every role and every command speaks TLS', async () => {
    const logging = await sandbox.serve('logging', ...tlsFlags(own));
    expect(addressOf(logging)).toMatch(new RegExp(`^${scheme}://127`));
    const follow = ['--follow', addressOf(logging)];
    const messages = await sandbox.serve('messages', ...tlsFlags(own), ...trust(), ...follow);
    const below = ['--logging', addressOf(logging), '--messages', messages.url];
    const facade = await sandbox.serve('facade', ...tlsFlags(own), ...trust(), ...below);
    const using = ['--url', facade.url, ...trust()];
    expect((await post(facade.url, 'one', { ca })).status).toBe(200);
    expect(await sandbox.run(['send', 'two', ...using])).toMatchObject({ code: 0 });
    const lines = await sandbox.run(['send', '--lines', ...using], { input: 'three\n' });
    expect(lines).toMatchObject({ code: 0 });
    const curl = ['-sS', '--cacert', authority.cert, '-d', 'txt=four', facade.url];
    expect((await run('curl', curl)).stdout).toContain(scheme === 'https' ? '"four"' : '"Logged"');
    expect((await sandbox.run(['list', ...using])).stdout).toBe('one\ntwo\nthree\nfour\n');
    expect(await sandbox.run(['backup', 'copy.db', ...using])).toMatchObject({ code: 0 });
    await expect
      .poll(async () => (await get(`${messages.url}/messages`)).text, { timeout: 10_000 })
      .toBe('["one","two","three","four"]\n');
    const at = `127.0.0.1:${portOf(addressOf(logging))}`;
    const asking = ['s_client', '-connect', at, '-brief', '-verify_return_error'];
    const trusting = ['-CAfile', authority.cert, '-verify_ip', '127.0.0.1'];
    const alpn = scheme === 'grpcs' ? ['-alpn', 'h2'] : [];
    const checked = await startChild('openssl', [...asking, ...trusting, ...alpn]);
    expect(await checked.exited).toMatchObject({ code: 0 });
    expect(checked.stderr()).toMatch(/TLSv1\.3[^]*Verification: OK/);
    // Nothing is in the diagnostics but what a service without TLS would say.
    for (const { lines: told } of [logging, messages, facade]) {
      const warned = told().filter(
        ({ level, msg }) => level !== 'info' && !oldNode.test(String(msg)),
      );
      expect(warned).toEqual([]);
    }
  });

  test.each([
    ['has expired', { days: -1 }, true],
    ['is for another name', { names: 'DNS:other.example' }, true],
    ['is from an unknown issuer', {}, false],
  ] as const)('a certificate that %s is told as that', async (flaw, options, isTrusted) => {
    const bad = await authority.issue('bad', options);
    const logging = await sandbox.serve('logging', ...tlsFlags(bad));
    const known = isTrusted ? trust() : [];
    const facade = await sandbox.serve('facade', '--logging', addressOf(logging), ...known);
    const reply = await post(facade.url, 'lost');
    expect(reply).toMatchObject({ status: 502 });
    const problem = JSON.parse(reply.text) as { code: string; detail: string };
    expect(problem.code).toBe('untrusted');
    expect(problem.detail).toContain(`The certificate of ${addressOf(logging)} ${flaw}.`);
    expect((await request(`${facade.url}/readyz`)).text).toContain(flaw);
    const follow = ['--follow', addressOf(logging), ...known];
    const replica = await sandbox.serve('messages', ...follow);
    await replica.waitForLine(({ msg }) => String(msg).includes(flaw), 5_000);
    await expect.poll(async () => (await request(`${replica.url}/readyz`)).text).toContain(flaw);
    if (scheme === 'grpcs') return;
    for (const command of [['send', 'x'], ['send', '--lines'], ['list'], ['backup', 'b.db']]) {
      const done = await sandbox.run([...command, '--url', logging.url, ...known], {
        input: 'x\n',
      });
      expect(done, command.join(' ')).toMatchObject({ code: 3, stdout: '' });
      expect(done.stderr).toContain(`The certificate of ${logging.url} ${flaw}.`);
      expect(done.stderr).not.toContain('Attempt');
    }
  });

  test('clients need a certificate where --tls-client-ca says so', async () => {
    const asks = ['--tls-client-ca', authority.cert];
    const logging = await sandbox.serve('logging', ...tlsFlags(own), ...asks);
    const stranger = await (await createAuthority(sandbox.folder, 'stranger')).issue('strange');
    for (const [flags, said] of [
      [[], 'needs a certificate of the client'],
      [behindFlags(await authority.issue('old', { days: -1 })), 'has expired'],
      [behindFlags(stranger), 'is from an unknown issuer'],
      [behindFlags(await authority.issue('client')), undefined],
      // By default, a role shows the certificate that it serves with.
      [tlsFlags(own), undefined],
    ] as const) {
      const below = ['--logging', addressOf(logging), ...trust(), ...flags];
      const facade = await sandbox.serve('facade', ...below);
      const reply = await post(
        facade.url,
        'x',
        facade.url.startsWith('https') ? { ca } : undefined,
      );
      expect(reply.status).toBe(said === undefined ? 200 : 502);
      if (said !== undefined) expect(reply.text).toContain(said);
      const follow = ['--follow', addressOf(logging), ...trust(), ...flags];
      const replica = await sandbox.serve('messages', ...follow);
      await replica.waitForLine(({ msg }) => String(msg).includes(said ?? 'Following'), 5_000);
      await Promise.all([facade.kill(), replica.kill()]);
    }
  });

  test('certificates are read again on SIGHUP, and what is open goes on', async () => {
    const live = { cert: join(sandbox.folder, 'live.pem'), key: join(sandbox.folder, 'live.key') };
    const replace = async ({ cert, key }: Pair) => {
      await copyFile(cert, live.cert);
      await copyFile(key, live.key);
    };
    const reread = async ({ pid, lines, waitForLine }: Service, said: RegExp) => {
      const before = lines().length;
      process.kill(pid, 'SIGHUP');
      const isNew = (line: object) => lines().indexOf(line as never) >= before;
      await waitForLine((line) => isNew(line) && said.test(String(line['msg'])), 5_000);
    };
    await replace(own);
    const asks = ['--tls-client-ca', authority.cert];
    const logging = await sandbox.serve('logging', ...tlsFlags(live), ...asks);
    const below = ['--logging', addressOf(logging), ...trust(), ...behindFlags(live)];
    const facade = await sandbox.serve('facade', ...below);
    const follower = startFollower(facade.url, 'after');
    expect((await post(facade.url, 'one')).status).toBe(200);
    await follower.reach(1);

    await replace(await authority.issue('next'));
    for (const service of [logging, facade]) await reread(service, /certificates.* read again/);
    expect(await nameShownBy(addressOf(logging))).toBe('next');
    expect((await post(facade.url, 'two')).status).toBe(200);
    await follower.reach(2);

    await writeFile(live.cert, 'damaged');
    for (const service of [logging, facade]) await reread(service, /still hold/);
    expect(await nameShownBy(addressOf(logging))).toBe('next');
    expect((await post(facade.url, 'three')).status).toBe(200);
    await follower.reach(3);
    expect(follower.connections()).toBe(1);
    expect(follower.oddities).toEqual([]);
    await follower.close();
    expect(logging.stderr()).not.toContain('interrupted');
    expect(facade.stderr()).not.toContain('interrupted');
  });
});

test('workers read certificates again, too', async () => {
  const logging = await sandbox.serve('logging');
  const live = { cert: join(sandbox.folder, 'live.pem'), key: join(sandbox.folder, 'live.key') };
  await copyFile(own.cert, live.cert);
  await copyFile(own.key, live.key);
  const facade = await sandbox.serve(
    'facade',
    ...tlsFlags(live),
    '--logging',
    logging.url,
    '--workers',
    '2',
  );
  const told = (text: string) => facade.lines().filter(({ msg }) => msg === text).length;
  await facade.waitForLine(() => told('Ready') === 2, 10_000);
  const next = await authority.issue('next');
  await copyFile(next.cert, live.cert);
  await copyFile(next.key, live.key);
  process.kill(facade.pid, 'SIGHUP');
  await facade.waitForLine(() => told('The certificates were read again') === 2, 5_000);
  for (let n = 0; n < 8; n += 1) expect(await nameShownBy(facade.url)).toBe('next');
});

test('a resumed session does not stand for a certificate', async () => {
  const asks = ['--tls-client-ca', authority.cert];
  const { url } = await sandbox.serve('logging', ...tlsFlags(own), ...asks);
  let session: Buffer | undefined;
  for (const isReused of [false, true, true]) {
    const socket = await shakeHands(url, session ? { session } : {});
    socket.on('session', (next: Buffer) => (session = next));
    const hasResumed = socket.isSessionReused();
    socket.end('GET /logging HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    let reply = '';
    for await (const piece of socket) reply += String(piece);
    expect(reply).toMatch(/^HTTP\/1.1 403 /);
    expect(hasResumed).toBe(isReused);
  }
});

test('a client with a certificate needs no token, and a probe needs neither', async () => {
  const asks = ['--tls-client-ca', authority.cert, '--host', '0.0.0.0'];
  const { facade } = await sandbox.serveAll(...tlsFlags(own), ...asks);
  const url = facade.url.replace('0.0.0.0', '127.0.0.1');
  const client = await contentOf(await authority.issue('client'));
  expect((await get(`${url}/livez`)).status).toBe(200);
  expect((await get(`${url}/livez`)).text).toBe('');
  expect((await get(url)).status).toBe(403);
  expect((await post(url, 'x', { ca, ...client })).status).toBe(200);
  const flags = ['--url', url, ...trust()];
  const refused = await sandbox.run(['list', ...flags]);
  expect(refused).toMatchObject({ code: 7, stdout: '' });
  expect(refused.stderr).toContain('needs a certificate of the client');
  const shown = tlsFlags({ cert: 'client.pem', key: 'client.key' });
  expect(await sandbox.run(['list', ...flags, ...shown])).toMatchObject({ code: 0, stdout: 'x\n' });
});

test('both a token and a certificate are needed where both are asked for', async () => {
  sandbox.env['MLOG_TOKEN'] = 'secret-of-app';
  const { url } = await sandbox.serve(
    'logging',
    ...tlsFlags(own),
    '--tls-client-ca',
    authority.cert,
  );
  const client = await contentOf(await authority.issue('client'));
  const headers = { authorization: 'Bearer secret-of-app' };
  const statusWith = async (tls: object, more: object) =>
    (await request(`${url}/logging`, { tls: { ca, ...tls }, headers: { ...more } })).status;
  expect(await statusWith({}, headers)).toBe(403);
  expect(await statusWith(client, {})).toBe(401);
  expect(await statusWith(client, headers)).toBe(200);
});

test('connections count from their handshake on, which holds nobody up', async () => {
  const few = ['--connections-max', '4', '--headers-timeout-ms', '1500'];
  const { logging } = await sandbox.serveAll(...tlsFlags(own), ...few);
  const silent: Socket[] = [];
  const closed: Promise<unknown>[] = [];
  for (const url of [logging.url, String(logging.ready['grpc'])]) {
    for (let n = 0; n < 10; n += 1) {
      const socket = connectPlain(Number(portOf(url)), '127.0.0.1').on('error', () => {});
      closed.push(once(socket, 'close'));
      await once(socket, 'connect');
      silent.push(socket);
    }
  }
  expect((await get(`${logging.url}/livez`)).status).toBe(200);
  expect((await get(`${logging.url}/logging`)).status).toBe(503);
  // Once their time is over, all of them are gone.
  await Promise.all(closed);
  expect((await get(`${logging.url}/logging`)).status).toBe(200);
  const late = connectPlain(Number(portOf(logging.url)), '127.0.0.1').on('error', () => {});
  await once(late, 'connect');
  expect(await logging.kill('SIGTERM')).toMatchObject({ code: 0 });
});

test('a reader that takes nothing is cut over TLS as well', async () => {
  const filled = await sandbox.serve('logging');
  const headers = { 'content-type': 'application/x-ndjson' };
  const body = `${JSON.stringify({ txt: 'x'.repeat(1_000_000) })}\n`.repeat(7);
  for (let n = 0; n < 4; n += 1) {
    await request(`${filled.url}/logging`, { method: 'POST', headers, body });
  }
  await filled.kill('SIGTERM');
  const bounds = ['--reader-stall-ms', '300', '--connections-max', '1'];
  const { url } = await sandbox.serve('logging', ...tlsFlags(own), ...bounds);
  const reader = await shakeHands(url);
  const closed = once(
    reader.on('error', () => {}),
    'close',
  );
  reader.write('GET /logging HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await once(reader, 'readable'); // The reply has begun; nothing of it is taken.
  await expect
    .poll(async () => (await get(`${url}/logging?last=0`)).status, { timeout: 10_000 })
    .toBe(200);
  let bytes = 0;
  reader.on('data', (piece: Buffer) => (bytes += piece.length));
  await closed;
  expect(bytes).toBeLessThan(28_000_000);
  // One that reads gets everything.
  const readAll = async () => {
    const { status, text } = await get(`${url}/logging`);
    return status === 200 ? (JSON.parse(text) as string[]).length : status;
  };
  await expect.poll(readAll, { timeout: 10_000 }).toBe(28);
});

test('a service with the other protocol is told as that', async () => {
  const secure = await sandbox.serve('logging', ...tlsFlags(own));
  const plain = await sandbox.serve('messages');
  const asHttps = plain.url.replace('http:', 'https:');
  const done = await sandbox.run(['list', '--url', asHttps]);
  expect(done).toMatchObject({ code: 3, stdout: '' });
  expect(done.stderr).toContain(`What listens at ${asHttps} does not speak TLS.`);
  const asHttp = secure.url.replace('https:', 'http:');
  expect((await sandbox.run(['list', '--url', asHttp])).stderr).toContain('was lost');
  // Nothing of this ended the service.
  expect((await get(`${secure.url}/livez`)).status).toBe(200);
});

test('what cannot be used is refused at the start', async () => {
  const { cert, key } = own;
  const none = join(sandbox.folder, 'none');
  const other = await authority.issue('other');
  const text = join(sandbox.folder, 'text');
  await writeFile(text, 'no certificate', { mode: 0o600 });
  const encrypted = join(sandbox.folder, 'encrypted.key');
  await run('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:x', '-out', encrypted]);
  await chmod(encrypted, 0o600);
  const open = join(sandbox.folder, 'open.key');
  await copyFile(key, open);
  await chmod(open, 0o644);
  const damaged = join(sandbox.folder, 'damaged.pem');
  await writeFile(damaged, ca.replace(/\n[^-\n]{10}/, '\nAAAAAAAAAA'));
  const serve = ['serve', 'logging', '--store', 'memory:', '--port', '0'];
  const send = ['send', 'x', '--url', 'https://localhost:1'];
  for (const [args, words] of [
    [[...serve, '--tls-cert', cert], '--tls-cert needs --tls-key.'],
    [[...serve, '--tls-key', key], '--tls-key needs --tls-cert.'],
    [[...serve, '--tls-client-ca', authority.cert], '--tls-client-ca needs --tls-cert.'],
    [
      [...serve, '--tls-cert', none, '--tls-key', key],
      `The --tls-cert file ${none} cannot be read.`,
    ],
    [
      [...serve, '--tls-cert', cert, '--tls-key', none],
      `The --tls-key file ${none} cannot be read.`,
    ],
    [[...serve, '--tls-cert', text, '--tls-key', key], `There is no certificate in ${text}.`],
    [
      [...serve, '--tls-cert', damaged, '--tls-key', key],
      `A certificate in ${damaged} is damaged.`,
    ],
    [[...serve, '--tls-cert', cert, '--tls-key', text], `There is no private key in ${text}.`],
    [[...serve, '--tls-cert', cert, '--tls-key', encrypted], 'is encrypted'],
    [[...serve, '--tls-cert', cert, '--tls-key', open], `chmod 600 ${open}`],
    [
      [...serve, '--tls-cert', cert, '--tls-key', other.key],
      `The key in ${other.key} is not that of`,
    ],
    [[...serve, ...tlsFlags(own), '--tls-client-ca', text], `There is no certificate in ${text}.`],
    [
      ['serve', 'facade', '--upstream-tls-cert', cert],
      '--upstream-tls-cert needs --upstream-tls-key.',
    ],
    [['serve', 'facade', '--ca', none], `The --ca file ${none} cannot be read.`],
    [[...send, '--ca', none], `The --ca file ${none} cannot be read.`],
    [[...send, '--tls-cert', cert], '--tls-cert needs --tls-key.'],
  ] as const) {
    const done = await sandbox.run(args);
    expect(done, args.join(' ')).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toContain(words);
    expect(done.stderr).not.toContain('PRIVATE KEY-----\n');
  }
});
