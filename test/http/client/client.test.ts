import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHttpClient, type HttpClient } from '../../../src/http/client/client.ts';
import { httpAddress } from '../../support/address.ts';

describe('a client that closes', () => {
  let server: Server;
  let client: HttpClient;

  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url === '/silent') return;
      response.writeHead(200, { 'content-type': 'text/plain' });
      // Larger than all buffers on the way, so that it ends only if its reader continues.
      if (request.url === '/large') response.end('x'.repeat(16 * 1024 * 1024));
      else setTimeout(() => response.end('done'), 100);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    client = openHttpClient(httpAddress(`http://127.0.0.1:${port}`), { timeoutMs: 20_000 });
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('does not wait for a stream whose reader has paused, and tells the reader', async () => {
    const { chunks } = await client.stream({ method: 'GET', path: '/large' });
    const reader = chunks[Symbol.asyncIterator]();
    expect((await reader.next()).done).toBe(false);
    await client.close();
    const readRest = async () => {
      while (!(await reader.next()).done);
    };
    await expect(readRest()).rejects.toMatchObject({ code: 'closed' });
  });

  it('does not wait for a stream that has no reply yet', async () => {
    const arrived = once(server, 'request');
    const stream = client.stream({ method: 'GET', path: '/silent' });
    const outcome = expect(stream).rejects.toMatchObject({ code: 'closed' });
    await arrived;
    await client.close();
    await outcome;
  });

  it('waits for an exchange that is under way', async () => {
    const exchange = client.exchange({ method: 'GET', path: '/slow' });
    await client.close();
    expect(await exchange).toMatchObject({ status: 200, text: 'done' });
  });

  it('opens no stream any more', async () => {
    await client.close();
    const stream = client.stream({ method: 'GET', path: '/large' });
    await expect(stream).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('an exchange that fails', () => {
  let server: Server;
  let client: HttpClient;

  beforeEach(async () => {
    server = createServer((request) => {
      if (request.url === '/reset') request.socket.resetAndDestroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    client = openHttpClient(httpAddress(`http://127.0.0.1:${port}`), { timeoutMs: 200 });
    return async () => {
      await client.close();
      server.closeAllConnections();
      server.close();
    };
  });

  const post = (path: string) => client.exchange({ method: 'POST', path, body: 'x' });

  it.each([
    ['/silent', 'deadline_exceeded'],
    ['/reset', 'unavailable'],
  ])('was sent where a connection took it: %s', async (path, code) => {
    await expect(post(path)).rejects.toMatchObject({ code, isUnsent: false });
  });

  it('was not sent where there is no connection', async () => {
    const closed = once(server, 'close');
    server.close();
    await closed;
    await expect(post('/')).rejects.toMatchObject({ code: 'unavailable', isUnsent: true });
  });
});
