import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHttpClient } from '../../../src/http/client/client.ts';
import { createNdjsonJournal } from '../../../src/http/client/ndjson.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { message } from '../../contract/journal-contract.ts';
import { httpAddress } from '../../support/address.ts';

// Whatever answers may be another service, or a broken one: no reply is trusted unchecked.

const ndjson = 'application/x-ndjson';
const lines = (...values: unknown[]) =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');
const a = { id: 'a', seq: 1, status: 'logged' };
const b = { id: 'b', seq: 2, status: 'logged' };

describe('the client of a logging service that is mlog', () => {
  let reply: { status?: number; type?: string; location?: string; body: string };
  let journal: Journal;
  let close: () => Promise<void>;

  beforeEach(async () => {
    const server = createServer((request, response) => {
      request.resume();
      const { status = 200, type = ndjson, location } = reply;
      response.writeHead(status, { 'content-type': type, ...(location && { location }) });
      response.end(reply.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    journal = createNdjsonJournal(
      openHttpClient(httpAddress(`http://127.0.0.1:${port}`), { timeoutMs: 5_000 }),
      '/logging',
    );
    close = async () => {
      await journal.close();
      server.closeAllConnections();
      server.close();
    };
  });

  afterEach(() => close());

  const append = () => journal.append([message('a'), message('b')]);

  it('believes a result for each message, in their order', async () => {
    reply = { body: lines(a, { ...b, status: 'duplicate' }) };
    expect(await append()).toEqual([a, { ...b, status: 'duplicate' }]);
  });

  it.each<[string, string]>([
    ['the ids in another order', lines(b, a)],
    ['too few lines', lines(a)],
    ['too many lines', lines(a, b, { ...b, id: 'c' })],
    ['no line', ''],
    ['a last line that is cut', lines(a, b).slice(0, -1)],
    ['half a line', lines(a, b).slice(0, -9)],
    ['more behind the last line', `${lines(a, b)}and more`],
    ['lines of null', lines(null, null)],
    ['lines of arrays and strings', lines([], 'logged')],
    ['a status that is none', lines(a, { ...b, status: 'unknown' })],
    ['a status of the prototype', lines(a, { ...b, status: 'toString' })],
    ['no status', lines(a, { id: 'b', seq: 2 })],
    ['a seq that is a string', lines(a, { ...b, seq: '2' })],
    ['a seq that counts nothing', lines(a, { ...b, seq: -1.5 })],
    ['text that is no JSON', 'Message logged\n'.repeat(2)],
    ['20 MB', lines(a, b).padEnd(20_000_000, '\n')],
  ])('takes an append for failed that is answered with %s', async (_, body) => {
    reply = { body };
    await expect(append()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  it.each<[string, { status?: number; type: string; body: string }]>([
    ['HTML with 200', { type: 'text/html', body: '<!doctype html>\n<p>Welcome\n' }],
    ['HTML with 404', { status: 404, type: 'text/html', body: '<p>Not Found' }],
    ['HTML with 400', { status: 400, type: 'text/html', body: '<p>Bad Request' }],
    ['the right lines with 201', { status: 201, type: ndjson, body: lines(a, b) }],
  ])('takes an append for failed that is answered with %s', async (_, given) => {
    reply = given;
    await expect(append()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('names where a redirect leads to', async () => {
    reply = { status: 308, type: 'text/html', location: 'https://elsewhere/logging', body: '' };
    await expect(append()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /\/logging answered 308, a redirect to https:\/\/elsewhere/,
      ) as string,
    });
  });

  const problem = (status: number, code: string) => ({
    status,
    type: 'application/problem+json',
    body: JSON.stringify({ status, code, detail: 'It is damaged.' }),
  });

  it.each<[number, string, string]>([
    [500, 'data_loss', 'data_loss'],
    [500, 'failed_precondition', 'failed_precondition'],
    [507, 'storage_full', 'storage_full'],
    [504, 'deadline_exceeded', 'deadline_exceeded'],
    [503, 'closed', 'unavailable'],
    [500, 'internal', 'unavailable'],
    [500, 'no code of ours', 'unavailable'],
    [500, 'conflict', 'unavailable'],
    [400, 'unavailable', 'invalid_argument'],
  ])('reads a problem of status %i with the code %s as %s', async (status, told, code) => {
    reply = problem(status, told);
    await expect(journal.get('a')).rejects.toMatchObject({ code });
    const pages = journal.read({ after: 0, limit: 10 })[Symbol.asyncIterator]();
    await expect(pages.next()).rejects.toMatchObject({ code });
  });

  it.each(['data_loss', 'internal', 'failed_precondition', 'closed'])(
    'takes an append that met %s for one that may be sent again',
    async (code) => {
      reply = problem(500, code);
      await expect(append()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    },
  );

  it.each<[string, string]>([
    ['null', lines(null)],
    ['a list', lines([])],
    ['a text', lines('text')],
    ['an entry without a seq', lines({ id: 'a', txt: 'x', at: '2026-01-01T00:00:00.000Z' })],
    ['text that is no JSON', '<p>Welcome\n'],
  ])('gives no entry for %s', async (_, body) => {
    reply = { type: 'application/json', body };
    await expect(journal.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    reply = { body };
    const pages = journal.read({ after: 0, limit: 10 })[Symbol.asyncIterator]();
    await expect(pages.next()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('knows no head where the service tells none', async () => {
    reply = { body: '' };
    await expect(journal.head()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
