import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { postForm } from '../support/http.ts';
import { startProxy } from '../support/proxy.ts';
import { openSandbox, type Sandbox, type Service } from '../support/sandbox.ts';
import { findFaults, readEntries, startWriters } from '../support/writers.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const lineTimeoutMs = 5000;
const soonMs = 3000;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

/**
 * A message that the server has begun to take: it replied "100 Continue", and part of the body is
 * sent.
 */
type Upload = { id: string; txt: string; finish: () => Promise<{ status: number; text: string }> };

const beginUpload = async (url: string, id: string, isWhole = false): Promise<Upload> => {
  const txt = `text of ${id}`;
  const body = new URLSearchParams({ id, txt }).toString();
  const request = http.request(url, {
    method: 'POST',
    agent: false,
    headers: {
      expect: '100-continue',
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': body.length,
    },
  });
  const received = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
  });
  received.catch(() => {}); // Those that are cut on purpose are never finished.
  request.flushHeaders();
  await once(request, 'continue', { signal: AbortSignal.timeout(lineTimeoutMs) });
  request.write(isWhole ? body : body.slice(0, 5));
  const finish: Upload['finish'] = async () => {
    request.end(isWhole ? '' : body.slice(5));
    const response = await received;
    return { status: response.statusCode ?? 0, text: await text(response) };
  };
  return { id, txt, finish };
};

const beginUploads = (url: string, count: number, isWhole = false): Promise<Upload[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => beginUpload(url, `upload-${n}`, isWhole)));

const stopping = (service: Service) =>
  service.waitForLine((line) => line['msg'] === 'Stopping', lineTimeoutMs);

const replies = (uploads: readonly Upload[]) => Promise.all(uploads.map(({ finish }) => finish()));

const expectedReplies = (uploads: readonly Upload[]) =>
  uploads.map(({ id, txt }) => ({ status: 200, text: `${JSON.stringify({ id, txt })}\n` }));

describe.each(['SIGTERM', 'SIGINT'] as const)('after %s', (signal) => {
  test('all services answer what they accepted under load, and end with 0', async () => {
    const { facade } = await sandbox.serveAll();
    const writers = startWriters(facade.url, 8);
    sandbox.defer(writers.stop);
    const uploads = await beginUploads(facade.url, 30);
    await writers.progress(50);

    const ended = facade.kill(signal);
    await stopping(facade);
    expect(await replies(uploads)).toStrictEqual(expectedReplies(uploads));
    expect(await ended).toStrictEqual({ code: 0, signal: null });
    await writers.stop();
    expect(writers.refusals).toStrictEqual([]);

    const { logging } = await sandbox.serveAll();
    const entries = await readEntries(logging.url);
    const attempted = new Map(writers.attempted);
    const acknowledged = new Set(writers.acknowledged);
    for (const { id, txt } of uploads) attempted.set(id, txt);
    for (const { id } of uploads) acknowledged.add(id);
    expect(findFaults(entries, { attempted, acknowledged })).toStrictEqual([]);
    // A graceful shutdown leaves no doubt: everything stored was answered.
    expect(entries.filter(({ id }) => !acknowledged.has(id))).toStrictEqual([]);
  });

  test('a facade waits for the logging service, and answers', async () => {
    const logging = await sandbox.serve('logging');
    const messages = await sandbox.serve('messages');
    const proxy = await startProxy(logging.url);
    sandbox.defer(proxy.close);
    const below = ['--logging', proxy.url, '--messages', messages.url];
    const facade = await sandbox.serve('facade', ...below);
    await postForm(facade.url, { id: 'first', txt: 'Its me' });

    proxy.faults.paused = true;
    const uploads = await beginUploads(facade.url, 30, true);
    const answered = replies(uploads);
    const ended = facade.kill(signal);
    await stopping(facade);
    proxy.faults.paused = false;
    expect(await answered).toStrictEqual(expectedReplies(uploads));
    expect(await ended).toStrictEqual({ code: 0, signal: null });
    expect(await readEntries(logging.url)).toHaveLength(uploads.length + 1);
  });

  test('a logging service commits and answers what it accepted', async () => {
    const { facade, logging } = await sandbox.serveApart('--retry-delay-ms', '10');
    const writers = startWriters(facade.url, 8);
    sandbox.defer(writers.stop);
    await writers.progress(50);
    expect(await logging.kill(signal)).toStrictEqual({ code: 0, signal: null });
    await writers.stop();
    const again = await sandbox.serve('logging');
    const entries = await readEntries(again.url);
    expect(findFaults(entries, writers)).toStrictEqual([]);
    expect(entries.filter(({ id }) => !writers.acknowledged.has(id))).toStrictEqual([]);
  });
});

describe('a stop', () => {
  const connected = async (service: Service, bytes?: string): Promise<Socket> => {
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname).on('error', () => {});
    sandbox.defer(() => socket.destroy());
    await once(socket, 'connect');
    if (bytes !== undefined) socket.write(bytes);
    return socket;
  };

  /** Stops with SIGTERM. Returns the exit code, or that the stop took too long. */
  const stopSoon = async (service: Service): Promise<number | string | null> => {
    const startedAt = performance.now();
    const { code } = await service.kill('SIGTERM');
    const tookMs = Math.round(performance.now() - startedAt);
    return tookMs < soonMs ? code : `${code} after ${tookMs} ms`;
  };

  const keptAlive = async (service: Service): Promise<void> => {
    const socket = await connected(service, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data', { signal: AbortSignal.timeout(lineTimeoutMs) });
  };

  test('is not held up by idle connections, nor by those that never sent a byte', async () => {
    const services = Object.values(await sandbox.serveAll());
    for (const service of services) {
      for (let n = 0; n < 5; n += 1) await connected(service);
      // Connections are accepted in order, so the silent ones before these are accepted, too.
      for (let n = 0; n < 5; n += 1) await keptAlive(service);
    }
    expect(await stopSoon(services[0]!)).toBe(0);
  });

  test('is held up no longer than the headers may take by half a request', async () => {
    const facade = await sandbox.serve('facade', '--headers-timeout-ms', '500');
    await connected(facade, 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le');
    await keptAlive(facade);
    expect(await stopSoon(facade)).toBe(0);
  });

  test('is held up only for a moment by bodies that nobody finishes, and answers them', async () => {
    const services = await sandbox.serveAll('--shutdown-timeout-ms', '2000');
    const { facade, logging } = services;
    const beginForm = async (service: Service, path: string): Promise<string> => {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n`;
      return await text(await connected(service, `${head}id=a&txt=a`));
    };
    const answers = Promise.all([beginForm(facade, '/'), beginForm(logging, '/logging')]);
    await keptAlive(facade);
    await keptAlive(logging);
    expect(await stopSoon(facade)).toBe(0);
    for (const answer of await answers) {
      expect(answer).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
      expect(answer).toContain('Nothing of it was stored.');
    }
    expect(await readEntries((await sandbox.serveAll()).logging.url)).toEqual([]);
  });

  test('ends at once at the second signal', async () => {
    const { facade } = await sandbox.serveAll();
    await beginUpload(facade.url, 'never ends');
    const ended = facade.kill('SIGTERM');
    await stopping(facade);
    void facade.kill('SIGINT'); // One Ctrl-C may come twice; half a second later it is meant.
    await sleep(600);
    expect(facade.stderr()).not.toContain('"msg":"Stopped"');
    const startedAt = performance.now();
    void facade.kill('SIGTERM');
    expect(await ended).toStrictEqual({ code: null, signal: 'SIGTERM' });
    expect(performance.now() - startedAt).toBeLessThan(soonMs);
  });

  test('that takes too long says so and cuts what is left', async () => {
    const logging = await sandbox.serve('logging');
    const below = ['--logging', logging.url, '--messages', logging.url];
    const facade = await sandbox.serve('facade', ...below, '--shutdown-timeout-ms', '300');
    process.kill(logging.pid, 'SIGSTOP');
    sandbox.defer(() => process.kill(logging.pid, 'SIGCONT'));
    const cut = postForm(facade.url, { txt: 'is not answered' }).catch(() => {});
    await keptAlive(facade);
    const { code } = await facade.kill('SIGTERM');
    expect(code).toBeGreaterThan(0);
    expect(facade.stderr()).toMatch(/^mlog: The shutdown took more than 300 ms\. [^\n]+\n/m);
    await cut;
  });

  test('lets a fresh start go on with the same store, time and again', async () => {
    for (let n = 1; n <= 3; n += 1) {
      const { facade, logging } = await sandbox.serveAll();
      expect(await postForm(facade.url, { txt: `start ${n}` })).toMatchObject({ status: 200 });
      expect(await readEntries(logging.url)).toMatchObject(
        Array.from({ length: n }, (_, index) => ({ seq: index + 1, txt: `start ${index + 1}` })),
      );
      expect(await stopSoon(facade)).toBe(0);
    }
  });
});

test('the store is for its owner alone, whatever the umask', async () => {
  const file = join(sandbox.folder, 'data', 'mlog', 'mlog.db');
  const serving = ['serve', 'logging', '--port', '0'];
  const script = ['-c', 'umask 0; exec "$0" "$@"', process.execPath, programPath, ...serving];
  const child = await startChild('sh', script, {
    env: { ...sandbox.env, PATH: process.env['PATH'] },
  });
  sandbox.defer(() => child.kill());
  const url = await child.waitFor(
    () => /"logging":"(http[^"]+)"/.exec(child.stderr())?.[1],
    10_000,
  );
  await postForm(new URL('/logging', url), { id: 'one', txt: 'Its me' });
  const modes = [];
  for (const path of [dirname(file), file, `${file}-wal`])
    modes.push((await stat(path)).mode & 0o777);
  expect(modes.map((mode) => mode.toString(8))).toStrictEqual(['700', '600', '600']);
});

describe('a signal during the start', () => {
  /** Starts a service whose address takes a while to resolve, or never does. */
  const startSlowly = async (lookupMs: number, ...args: string[]) => {
    const preload = join(sandbox.folder, 'slow-lookup.cjs');
    await writeFile(
      preload,
      `const dns = require('node:dns');
       dns.lookup = (host, ...rest) => {
         process.stderr.write('looking up ' + host);
         setTimeout(rest.at(-1), ${lookupMs}, null, '127.0.0.1', 4);
       };`,
    );
    const start = [
      'serve',
      'logging',
      '--host',
      'slow.example',
      '--port',
      '0',
      '--insecure-no-auth',
    ];
    const service = await startChild(
      process.execPath,
      ['--require', preload, programPath, ...start, '--store', 'memory:', ...args],
      { env: { PATH: process.env['PATH'], ...sandbox.env } },
    );
    sandbox.defer(() => service.kill());
    await service.waitFor(
      () => service.stderr().includes('looking up') || undefined,
      lineTimeoutMs,
    );
    return service;
  };

  test('is heard, and stops the service in order when it has started', async () => {
    const service = await startSlowly(300);
    expect(await service.kill('SIGTERM')).toStrictEqual({ code: 0, signal: null });
    expect(service.stderr()).toContain('"msg":"Stopped"');
  });

  test('does not wait for a start without end', async () => {
    const service = await startSlowly(600_000, '--shutdown-timeout-ms', '100');
    expect(await service.kill('SIGTERM')).toStrictEqual({ code: 1, signal: null });
    expect(service.stderr()).toContain('mlog: The shutdown took more than 100 ms.');
  });
});
