import { describe, expect, test } from 'vitest';
import { rawRequest, request } from '../support/http.ts';
import { paths, refusalOf, serveRefusing, toReply } from '../support/refusal.ts';

// Malformed HTTP: each request is refused with a reason, and nothing of it is stored.

const services = serveRefusing();
const form = 'application/x-www-form-urlencoded';

describe.each(['facade', 'logging'] as const)('the %s service', (role) => {
  test('refuses a body that says it is too large, before it comes', async () => {
    const { url } = services()[role];
    const head = `POST ${paths[role]} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
    const raw = await rawRequest(
      url,
      `${head}Content-Type: ${form}\r\nContent-Length: 1e9\r\n\r\n`,
    );
    expect(refusalOf(toReply(raw))).toBe(400);
    const rest = `Content-Type: ${form}\r\nContent-Length: 999999999999\r\n\r\n`;
    expect(refusalOf(toReply(await rawRequest(url, head + rest)))).toBe(413);
  });

  test('lets a client that closes behind its request read why it was refused', async () => {
    const body = `id=one&txt=${'x'.repeat(7_000_000)}`;
    const url = new URL(paths[role], services()[role].url);
    for (let n = 0; n < 10; n += 1) {
      const headers = { 'content-type': form, connection: 'close' };
      expect(refusalOf(await request(url, { method: 'POST', headers, body }))).toBe(413);
    }
  });

  test('has nothing at other paths', async () => {
    for (const path of ['/nothing', '/logging/', '//', '/__proto__', '/constructor']) {
      for (const method of ['GET', 'POST']) {
        const body = method === 'POST' ? 'id=one&txt=a' : undefined;
        const url = new URL(services()[role].url + path);
        const reply = await request(url, { method, ...(body !== undefined && { body }) });
        expect(refusalOf(reply)).toBe(404);
      }
    }
  });

  test('names the methods of a path where another one is used', async () => {
    const url = new URL(paths[role], services()[role].url);
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
      const reply = await request(url, { method, body: 'id=one&txt=a' });
      expect(refusalOf(reply)).toBe(405);
      expect(reply.headers.allow).toBe('GET, HEAD, POST');
    }
    const reply = await request(new URL('/livez', url), { method: 'POST', body: 'id=one&txt=a' });
    expect(refusalOf(reply)).toBe(405);
    expect(reply.headers.allow).toBe('GET, HEAD');
  });

  test('refuses a query that it does not know', async () => {
    const queries = [
      'after=-1',
      'after=x',
      'limit=1&last=1',
      'id=a&last=1',
      'limit=1&limit=1',
      'lmit=1',
      'id=',
    ];
    for (const query of queries) {
      const url = new URL(`${paths[role]}?${query}`, services()[role].url);
      expect(refusalOf(await request(url))).toBe(400);
    }
    const url = new URL(paths[role], services()[role].url);
    expect(refusalOf(await request(url, { headers: { accept: 'image/png' } }))).toBe(406);
  });

  const badHttp: [name: string, text: string, status: number][] = [
    ['another protocol', '\u0016\u0003\u0001\u0002\0\u0001\0\u0001hello\r\n\r\n', 400],
    ['a request without a target', 'GET\r\n\r\n', 400],
    ['another version', `POST ${paths[role]} HTTP/9.9\r\nHost: localhost\r\n\r\n`, 400],
    ['a length that is none', 'Content-Length: ten\r\n\r\nid=one&txt=a', 400],
    ['two lengths', 'Content-Length: 12\r\nContent-Length: 13\r\n\r\nid=one&txt=a', 400],
    [
      'a length beside chunks',
      'Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\nid=one&txt=a\r\n', 400],
    ['a header without a colon', 'Content-Length 12\r\n\r\nid=one&txt=a', 400],
    ['a NUL in a header', 'X: a\0b\r\nContent-Length: 12\r\n\r\nid=one&txt=a', 400],
    ['headers of 17 KiB', `X: ${'x'.repeat(17_408)}\r\n\r\n`, 431],
    ['a target of 17 KiB', `POST /${'x'.repeat(17_408)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
  ];

  test.each(badHttp)('refuses %s', async (_, text, status) => {
    const isWhole = /^(GET|POST|\W)/.test(text);
    const head = isWhole ? '' : `POST ${paths[role]} HTTP/1.1\r\nHost: localhost\r\n`;
    expect(refusalOf(toReply(await rawRequest(services()[role].url, head + text)))).toBe(status);
  });

  test('refuses a request without a host', async () => {
    const head = `POST ${paths[role]} HTTP/1.1\r\nConnection: close\r\nContent-Length: 12\r\n`;
    const raw = await rawRequest(services()[role].url, `${head}\r\nid=one&txt=a`);
    expect(refusalOf(toReply(raw))).toBe(400);
  });

  test('refuses an expectation that it does not know', async () => {
    const url = new URL(paths[role], services()[role].url);
    const headers = { expect: 'miracles', 'content-type': form };
    expect(refusalOf(await request(url, { method: 'POST', headers, body: 'id=one&txt=a' }))).toBe(
      417,
    );
  });
});

test('the facade refuses an Idempotency-Key that is no UTF-8', async () => {
  const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n';
  const key = Buffer.concat([Buffer.from('Idempotency-Key: a'), Buffer.from([0xff])]);
  const bytes = Buffer.concat([Buffer.from(head), key, Buffer.from('\r\n\r\ntxt=a')]);
  expect(refusalOf(toReply(await rawRequest(services().facade.url, bytes)))).toBe(400);
});
