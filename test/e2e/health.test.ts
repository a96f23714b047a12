import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { postForm, type Reply, request } from '../support/http.ts';
import { startReferenceLogging } from '../support/reference.ts';
import { openSandbox, portOf, type Sandbox, type Services } from '../support/sandbox.ts';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

const roles = ['facade', 'logging', 'messages'] as const;

const ask = async (url: string, path: string): Promise<[status: number, body: unknown]> => {
  const reply = await request(new URL(path, url));
  expect(reply.headers['content-type']).toBe('application/json');
  return [reply.status, JSON.parse(reply.text)];
};

const dependencies = {
  one: { facade: { logging: 'ok' }, logging: { store: 'ok' }, messages: {} },
  apart: {
    facade: { logging: 'ok', messages: 'ok' },
    logging: { store: 'ok' },
    messages: {},
  },
};

describe.each([
  ['three processes', () => sandbox.serveApart(), dependencies.apart],
  ['one process', () => sandbox.serveAll(), dependencies.one],
] as const)('on %s', (_, serve, expected) => {
  test('every role tells that it is alive, and ready with each thing it needs', async () => {
    const services: Services = await serve();
    for (const role of roles) {
      const { url } = services[role];
      expect(await ask(url, '/livez')).toStrictEqual([200, { role, status: 'alive' }]);
      for (const path of ['/readyz', '/healthz']) {
        expect(await ask(url, path)).toStrictEqual([
          200,
          { role, status: 'ready', dependencies: expected[role] },
        ]);
      }
    }
  });

  test('the headers of a ready role tell its version and its newest message', async () => {
    const services: Services = await serve();
    await postForm(services.facade.url, { txt: 'one' });
    const { headers } = await request(new URL('/readyz', services.logging.url));
    expect(headers).toMatchObject({
      'mlog-role': 'logging',
      'mlog-version': manifest.version,
      'mlog-last-seq': '1',
    });
    const other = await request(new URL('/readyz', services.messages.url));
    expect(other.headers).not.toHaveProperty('mlog-last-seq');
  });

  test('HEAD is answered as GET is, without the body', async () => {
    const services: Services = await serve();
    const healthPaths = ['/livez', '/readyz', '/healthz'];
    const paths = { facade: ['/', '/?last=1'], logging: ['/logging'], messages: ['/messages'] };
    for (const role of roles) {
      for (const path of [...healthPaths, ...paths[role], '/nothing']) {
        const url = new URL(path, services[role].url);
        const get = await request(url);
        const head = await request(url, { method: 'HEAD' });
        expect(head.text).toBe('');
        expect(shapeOf(head), `HEAD ${url.href}`).toStrictEqual(shapeOf(get));
      }
    }
  });
});

const shapeOf = ({ status, headers }: Reply) => ({
  status,
  type: headers['content-type'],
  role: headers['mlog-role'],
  lastSeq: headers['mlog-last-seq'],
});

describe('a facade', () => {
  test('is alive but not ready while the logging service is away', async () => {
    const { facade, logging } = await sandbox.serveApart();
    await logging.kill('SIGTERM');
    for (const path of ['/readyz', '/healthz']) {
      const [status, body] = await ask(facade.url, path);
      expect(status).toBe(503);
      expect(body).toStrictEqual({
        role: 'facade',
        status: 'not ready',
        dependencies: { logging: expect.stringContaining(logging.url), messages: 'ok' },
      });
      expect(await request(new URL(path, facade.url), { method: 'HEAD' })).toMatchObject({
        status: 503,
        text: '',
      });
    }
    expect(await ask(facade.url, '/livez')).toMatchObject([200, { status: 'alive' }]);

    await sandbox.serve('logging', '--port', portOf(logging.url));
    expect(await ask(facade.url, '/readyz')).toMatchObject([200, { status: 'ready' }]);
  });

  test('names the messages service when that is away', async () => {
    const { facade, messages } = await sandbox.serveApart();
    await messages.kill('SIGKILL');
    expect(await ask(facade.url, '/readyz')).toMatchObject([
      503,
      { dependencies: { logging: 'ok', messages: expect.stringContaining(messages.url) } },
    ]);
  });

  test('is ready over a reference logging service, which knows no health page', async () => {
    const reference = await startReferenceLogging();
    const messages = await sandbox.serve('messages');
    const below = ['--logging', reference.url, '--messages', messages.url];
    const facade = await sandbox.serve('facade', ...below);
    expect(await ask(facade.url, '/readyz')).toMatchObject([200, { status: 'ready' }]);
    await reference.close();
    expect(await ask(facade.url, '/readyz')).toMatchObject([
      503,
      { dependencies: { logging: expect.stringContaining(reference.url) } },
    ]);
  });

  test('is not ready where its addresses are those of something else', async () => {
    const { logging, messages } = await sandbox.serveApart();
    const other = createServer((_, response) => void response.writeHead(404).end());
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    sandbox.defer(() => other.close());
    const { port } = other.address() as AddressInfo;
    const wrong = ['--logging', `http://127.0.0.1:${port}`, '--messages', logging.url];
    const facade = await sandbox.serve('facade', ...wrong);
    expect(await ask(facade.url, '/readyz')).toMatchObject([
      503,
      {
        dependencies: {
          logging: expect.stringContaining(`:${port}/logging answered 404`),
          messages: expect.stringContaining('is a logging service, not messages'),
        },
      },
    ]);
    const swapped = ['--logging', messages.url, '--messages', messages.url];
    expect(await ask((await sandbox.serve('facade', ...swapped)).url, '/readyz')).toMatchObject([
      503,
      {
        dependencies: { logging: expect.stringContaining('is a messages service'), messages: 'ok' },
      },
    ]);
  });

  test('is not ready when a service that hangs does not answer in time', async () => {
    const { logging, messages } = await sandbox.serveApart();
    process.kill(logging.pid, 'SIGSTOP');
    const below = ['--logging', logging.url, '--messages', messages.url];
    const facade = await sandbox.serve('facade', ...below, '--attempt-timeout-ms', '1000');
    expect(await ask(facade.url, '/readyz')).toMatchObject([
      503,
      { dependencies: { logging: expect.stringContaining(logging.url), messages: 'ok' } },
    ]);
    process.kill(logging.pid, 'SIGCONT');
    expect(await ask(facade.url, '/readyz')).toMatchObject([200, { status: 'ready' }]);
  });
});
