import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createLoneClient } from '../../../src/http/client/lone.ts';
import { httpAddress } from '../../support/address.ts';

const timeoutMs = 20_000;
const request = {
  method: 'POST',
  path: '/?a=b',
  body: 'ü',
  headers: { 'content-type': 'x/y' },
} as const;

describe('a lone client', () => {
  let server: Server | undefined;

  afterEach(() => server?.close().closeAllConnections());

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('sends a request below the path of the service, and gives the reply whole', async () => {
    const url = await serve((got, response) => {
      const { method, url: target, headers } = got;
      response.writeHead(201, { 'X-Header': 'one' });
      response.write(JSON.stringify({ method, target, type: headers['content-type'] }));
      got.pipe(response);
    });
    const { exchange } = createLoneClient(httpAddress(`${url}/below/`), { timeoutMs });
    const { status, header, text } = await exchange(request);
    expect({ status, header: header('x-header'), none: header('x-none'), text }).toEqual({
      status: 201,
      header: 'one',
      none: '',
      text: '{"method":"POST","target":"/below/?a=b","type":"x/y"}ü',
    });
  });

  it.each<[string, RequestListener]>([
    ['does not come', () => {}],
    ['does not end', (_, response) => void response.write('{')],
  ])('waits for a reply that %s no longer than it is told', async (_, listener) => {
    const url = await serve(listener);
    const sent = createLoneClient(httpAddress(url), { timeoutMs: 200 }).exchange(request);
    await expect(sent).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });

  it.each<[string, RequestListener]>([
    ['breaks off', (_, response) => void response.write('{', () => response.destroy())],
    ['is without end', (_, response) => void response.end('x'.repeat(17 * 1024 * 1024))],
  ])('tells of a reply that %s', async (_, listener) => {
    const url = await serve(listener);
    const sent = createLoneClient(httpAddress(url), { timeoutMs }).exchange(request);
    await expect(sent).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('takes no other protocol, and the first of two headers', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, ['X-Header', 'one', 'X-Header', 'two']).end();
    });
    const { exchange } = createLoneClient(httpAddress(url), { timeoutMs });
    expect((await exchange(request)).header('x-header')).toBe('one');
    server!.removeAllListeners('request').on('request', ({ socket }) => {
      socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    });
    await expect(exchange(request)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('tells that nothing listens, and speaks TLS where the address says so', async () => {
    const url = await serve((_, response) => response.end('plain'));
    const secure = createLoneClient(httpAddress(url.replace('http', 'https')), { timeoutMs });
    await expect(secure.exchange(request)).rejects.toMatchObject({
      code: 'unavailable',
    });
    server!.close().closeAllConnections();
    const gone = createLoneClient(httpAddress(url), { timeoutMs }).exchange(request);
    await expect(gone).rejects.toMatchObject({ message: `Nothing listens at ${url}.` });
  });
});
