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
    [400, 'two hosts', ['Host: localhost', 'Host: localhost']],
    [400, 'two hosts, one in other letters', ['Host: localhost', 'host: 127.0.0.1']],
    [
      400,
      'two types',
      ['Host: localhost', 'Content-Type: text/plain', 'Content-Type: application/json'],
    ],
    [400, 'two keys', ['Host: localhost', 'Idempotency-Key: a', 'idempotency-key: a']],
    [400, 'two positions', ['Host: localhost', 'Last-Event-ID: 1', 'Last-Event-ID: 2']],
    [400, 'two origins', ['Host: localhost', 'Origin: http://a', 'Origin: http://b']],
    [400, 'two lengths', ['Host: localhost', 'Content-Length: 0', 'Content-Length: 0']],
    [
      400,
      'a length and chunks',
      ['Host: localhost', 'Content-Length: 0', 'Transfer-Encoding: chunked'],
    ],
    [400, 'chunks that are encoded', ['Host: localhost', 'Transfer-Encoding: chunked, gzip']],
    [415, 'an encoding in chunks', ['Host: localhost', 'Transfer-Encoding: gzip, chunked']],
    [
      415,
      'the same in two lines',
      ['Host: localhost', 'Transfer-Encoding: x', 'Transfer-Encoding: chunked'],
    ],
    ['4..', 'chunks in chunks', ['Host: localhost', 'Transfer-Encoding: chunked, chunked']],
  ])('is refused with %s for %s', async (status, _, headers) => {
    expect(await ask(...headers)).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*"code":`));
  });

  it('is told that it is not complete where the client ends the connection in its body', async () => {
    const body = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf';
    const socket = connect({ port: Number(new URL(reading.url).port), host: '127.0.0.1' });
    socket.end(body);
    expect(await text(socket)).toMatch(
      /^HTTP\/1.1 400 [^]*The connection ended before the request did\./,
    );
  });

  it('leaves the connection open where it is refused and has no body', async () => {
    const head = 'GET /nowhere HTTP/1.1\r\nHost: localhost\r\n';
    const both = await rawRequest(server.url, `${head}\r\n${head}Connection: close\r\n\r\n`);
    expect(both.match(/^HTTP\/1.1 404 /gm)).toHaveLength(2);
  });

  it('is told which expectation cannot be met', async () => {
    expect(await ask('Host: localhost', 'Expect: tea')).toMatch(
      /^HTTP\/1.1 417 [^]*expectation tea cannot/,
    );
  });

  it('may say the same header twice where it is a list, and spell chunked as it likes', async () => {
    const lists = ['Accept: a/b', 'Accept: c/d', 'X-Forwarded-For: a', 'X-Forwarded-For: b'];
    expect(await ask('Host: localhost', 'Content-Length: 0', ...lists)).toContain('taken');
    expect(await ask('Host: localhost', 'Transfer-Encoding: Chunked', '', '0')).toContain('taken');
  });

  it('is answered by what no cache keeps, also where it is refused', async () => {
    const answers = [ask('Host: localhost'), ask(), ask('Host: localhost', 'Transfer-Encoding: x')];
    for (const answer of [...answers, rawRequest(server.url, 'no HTTP\r\n\r\n')]) {
      expect(await answer).toMatch(/^HTTP\/1.1 (?:200|4\d\d) [^]*\r\nCache-Control: no-store\r\n/);
    }
  });
});

describe('who may ask', () => {
  let server: Server;
  beforeAll(async () => {
    const handler: Handler = () => json(200, 'taken', { 'Mlog-Last-Seq': '7' });
    server = await startHttpServer(
      { '/': { GET: handler, POST: handler } },
      { allowHost: ['mlog.example'], allowOrigin: ['https://app.example'] },
    );
    return () => server.close();
  });

  const ask = (line: string, ...headers: string[]): Promise<string> =>
    rawRequest(server.url, `${[line, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  const get = 'GET / HTTP/1.1';
  const post = 'POST / HTTP/1.1';
  const ours = 'Host: localhost';

  it.each([
    [200, get, ['Host: mlog.example:8880']],
    [200, get, ['Host: LOCALHOST.:1']],
    [200, 'GET http://localhost/ HTTP/1.1', [ours]],
    [200, 'GET / HTTP/1.0', []],
    [421, get, ['Host: evil.example']],
    [421, 'HEAD / HTTP/1.1', ['Host: evil.example']],
    [421, post, ['Host: evil.example']],
    [421, 'GET /nowhere HTTP/1.1', ['Host: evil.example']],
    [421, 'OPTIONS / HTTP/1.1', ['Host: evil.example']],
    [421, 'GET / HTTP/1.0', ['Host: evil.example']],
    [421, 'GET http://evil.example/ HTTP/1.1', [ours]],
    [421, 'GET http://localhost/ HTTP/1.1', ['Host: evil.example']],
    [421, 'GET http://localhost@evil.example/ HTTP/1.1', [ours]],
    [400, 'GET a+b:/ HTTP/1.1', [ours]],
    [400, get, ['Host:']],
    [400, get, ['Host: localhost, evil.example']],
    [200, post, [ours, 'Origin: http://localhost']],
    [200, post, [ours, 'Origin: null', 'Sec-Fetch-Site: same-origin']],
    [200, post, [ours, 'Origin: https://app.example', 'Sec-Fetch-Site: cross-site']],
    [403, post, [ours, 'Origin: http://evil.example']],
    [403, post, [ours, 'Origin: null']],
    [403, post, [ours, 'Origin: http://localhost:3000', 'Sec-Fetch-Site: same-site']],
    [403, post, [ours, 'Sec-Fetch-Site: cross-site']],
    [403, 'DELETE / HTTP/1.1', [ours, 'Origin: http://evil.example']],
    [400, post, [ours, 'Sec-Fetch-Site: none', 'Sec-Fetch-Site: none']],
    [200, get, [ours, 'Origin: http://evil.example', 'Sec-Fetch-Site: cross-site']],
  ])('answers %i to %s with %j', async (status, line, headers) => {
    expect(await ask(line, ...headers)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('says what to do about a host and an origin', async () => {
    expect(await ask(get, 'Host: evil.example')).toContain(
      'start it with --allow-host evil.example',
    );
    expect(await ask(post, ours, 'Origin: null')).toContain(
      'start the service with --allow-origin',
    );
  });

  it('says in each reply that it is for this origin and of this type', async () => {
    const replies = [ask(get, ours), ask(get, 'Host: e'), ask('GET /no HTTP/1.1', ours), ask('x')];
    for (const reply of await Promise.all(replies)) {
      expect(reply).toContain('\r\nX-Content-Type-Options: nosniff\r\n');
      expect(reply).toContain('\r\nCross-Origin-Resource-Policy: same-origin\r\n');
      expect(reply).toContain('\r\nCache-Control: no-store\r\n');
    }
  });

  it('lets pages of an allowed origin read, and no others', async () => {
    const allowed = await ask(get, ours, 'Origin: https://app.example');
    expect(allowed).toContain('\r\nAccess-Control-Allow-Origin: https://app.example\r\n');
    expect(allowed).toMatch(/\r\nAccess-Control-Expose-Headers: .*Mlog-Last-Seq/);
    expect(allowed).toContain('\r\nMlog-Last-Seq: 7\r\n');
    for (const origin of [['Origin: http://evil.example'], []]) {
      const other = await ask(get, ours, ...origin);
      expect(other).toContain('\r\nVary: Origin\r\n');
      expect(other).not.toContain('Access-Control-');
    }
  });

  it('answers a preflight of an allowed origin alone', async () => {
    const question = ['Access-Control-Request-Method: POST', ours];
    const allowed = await ask('OPTIONS / HTTP/1.1', ...question, 'Origin: https://app.example');
    expect(allowed).toMatch(/^HTTP\/1.1 200 /);
    expect(allowed).toContain('\r\nAccess-Control-Allow-Origin: https://app.example\r\n');
    expect(allowed).toMatch(/\r\nAccess-Control-Allow-Headers: .*Idempotency-Key/);
    const other = await ask('OPTIONS / HTTP/1.1', ...question, 'Origin: http://evil.example');
    expect(other).toMatch(/^HTTP\/1.1 405 /);
    expect(other).not.toContain('Access-Control-');
  });

  it('says nothing of other origins where none is allowed', async () => {
    const own = await startHttpServer({ '/': { GET: () => json(200, 'taken') } });
    const reply = await rawRequest(
      own.url,
      'GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a\r\nConnection: close\r\n\r\n',
    );
    await own.close();
    expect(reply).toContain('taken');
    expect(reply).not.toMatch(/Vary|Access-Control/);
  });
});
