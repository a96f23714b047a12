import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { readBody } from '../../../src/http/server/body.ts';
import { json } from '../../../src/http/server/reply.ts';
import type { Handler, Server } from '../../../src/http/server/server.ts';
import { rawRequest } from '../../support/http.ts';
import { startHttpServer } from '../../support/http-server.ts';

describe('the head of a request', () => {
  let server: Server;
  let reading: Server;
  beforeAll(async () => {
    const handler = () => json(200, 'taken');
    server = await startHttpServer({ '/': { GET: handler, POST: handler } });
    const limits = { bodyMaxBytes: 100, bodiesMaxBytes: 400, requestTimeoutMs: 10_000 };
    const POST: Handler = async ({ raw }) => json(200, (await readBody(raw, limits)).length);
    reading = await startHttpServer({ '/': { POST } });
    return async () => {
      await server.close();
      await reading.close();
    };
  });

  const ask = (...headers: string[]): Promise<string> =>
    rawRequest(
      server.url,
      `${['POST / HTTP/1.1', ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`,
    );

  it.each([
    [400, 'no host', []],
    [400, 'two hosts', ['Host: a', 'Host: a']],
    [400, 'two hosts, one in other letters', ['Host: a', 'host: b']],
    [400, 'two types', ['Host: a', 'Content-Type: text/plain', 'Content-Type: application/json']],
    [400, 'two keys', ['Host: a', 'Idempotency-Key: a', 'idempotency-key: a']],
    [400, 'two positions', ['Host: a', 'Last-Event-ID: 1', 'Last-Event-ID: 2']],
    [400, 'two origins', ['Host: a', 'Origin: http://a', 'Origin: http://b']],
    [400, 'two lengths', ['Host: a', 'Content-Length: 0', 'Content-Length: 0']],
    [400, 'a length and chunks', ['Host: a', 'Content-Length: 0', 'Transfer-Encoding: chunked']],
    [400, 'chunks that are encoded', ['Host: a', 'Transfer-Encoding: chunked, gzip']],
    [415, 'an encoding in chunks', ['Host: a', 'Transfer-Encoding: gzip, chunked']],
    [
      415,
      'the same in two lines',
      ['Host: a', 'Transfer-Encoding: x', 'Transfer-Encoding: chunked'],
    ],
    ['4..', 'chunks in chunks', ['Host: a', 'Transfer-Encoding: chunked, chunked']],
  ])('is refused with %s for %s', async (status, _, headers) => {
    expect(await ask(...headers)).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*"code":`));
  });

  it('is told that it is not complete where the client ends the connection in its body', async () => {
    const body = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf';
    const socket = connect({ port: Number(new URL(reading.url).port), host: '127.0.0.1' });
    socket.end(body);
    expect(await text(socket)).toMatch(
      /^HTTP\/1.1 400 [^]*The connection ended before the request did\./,
    );
  });

  it('leaves the connection open where it is refused and has no body', async () => {
    const head = 'GET /nowhere HTTP/1.1\r\nHost: a\r\n';
    const both = await rawRequest(server.url, `${head}\r\n${head}Connection: close\r\n\r\n`);
    expect(both.match(/^HTTP\/1.1 404 /gm)).toHaveLength(2);
  });

  it('is told which expectation cannot be met', async () => {
    expect(await ask('Host: a', 'Expect: tea')).toMatch(
      /^HTTP\/1.1 417 [^]*expectation tea cannot/,
    );
  });

  it('may say the same header twice where it is a list, and spell chunked as it likes', async () => {
    const lists = ['Accept: a/b', 'Accept: c/d', 'X-Forwarded-For: a', 'X-Forwarded-For: b'];
    expect(await ask('Host: a', 'Content-Length: 0', ...lists)).toContain('taken');
    expect(await ask('Host: a', 'Transfer-Encoding: Chunked', '', '0')).toContain('taken');
  });

  it('is answered by what no cache keeps, also where it is refused', async () => {
    const answers = [ask('Host: a'), ask(), ask('Host: a', 'Transfer-Encoding: x')];
    for (const answer of [...answers, rawRequest(server.url, 'no HTTP\r\n\r\n')]) {
      expect(await answer).toMatch(/^HTTP\/1.1 (?:200|4\d\d) [^]*\r\nCache-Control: no-store\r\n/);
    }
  });
});
