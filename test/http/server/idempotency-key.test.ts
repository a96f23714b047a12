import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/config.ts';
import { readIdempotencyKey } from '../../../src/http/server/idempotency-key.ts';
import { json } from '../../../src/http/server/reply.ts';
import { startServer, type Server } from '../../../src/http/server/server.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { rawRequest } from '../../support/http.ts';
import { refusalOf, toReply } from '../../support/refusal.ts';

describe('the Idempotency-Key header', () => {
  let server: Server;

  beforeEach(async () => {
    server = await startServer({
      host: '127.0.0.1',
      port: 0,
      limits: readSettings('facade', {}, {}),
      logger: createLogger({ level: 'silent' }),
      routes: { '/': { GET: ({ raw }) => json(200, { key: readIdempotencyKey(raw) }) } },
    });
  });

  afterEach(() => server.close());

  /** Sends the header lines unchanged, in UTF-8. Returns the key that was read, or the status. */
  async function keyOf(...lines: string[]): Promise<unknown> {
    const head = ['GET / HTTP/1.1', 'Host: localhost', 'Connection: close', ...lines];
    const reply = toReply(await rawRequest(server.url, `${head.join('\r\n')}\r\n\r\n`));
    return reply.status === 200 ? JSON.parse(reply.text) : refusalOf(reply);
  }

  it('may be absent', async () => {
    expect(await keyOf()).toEqual({});
  });

  it.each([
    ['bare', '8e03978e-40d5', '8e03978e-40d5'],
    ['quoted', '"8e03978e-40d5"', '8e03978e-40d5'],
    ['quoted, with escapes', '"a\\"b\\\\c"', 'a"b\\c'],
    ['quoted, with an escaped backslash in the end', '"a\\\\"', 'a\\'],
    ['bare, with quotes and backslashes inside', 'a"b\\"c', 'a"b\\"c'],
    ['bare, in UTF-8', 'Schlüssel-🙂', 'Schlüssel-🙂'],
    ['quoted, in UTF-8', '"Schlüssel-🙂"', 'Schlüssel-🙂'],
    ['bare, with spaces and commas inside', 'a, b', 'a, b'],
  ])('is read when it is %s', async (_, value, key) => {
    expect(await keyOf(`Idempotency-Key: ${value}`)).toEqual({ key });
  });

  it('has a name without regard to case', async () => {
    expect(await keyOf('IDEMPOTENCY-KEY: a')).toEqual({ key: 'a' });
  });

  it('is named where it is not UTF-8', async () => {
    const head = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIdempotency-Key: ';
    const bytes = Buffer.from(`${head}Stra\xdfe\r\n\r\n`, 'latin1');
    const said = 'The Idempotency-Key is not valid UTF-8.';
    expect(toReply(await rawRequest(server.url, bytes))).toMatchObject({
      status: 400,
      text: expect.stringContaining(said) as string,
    });
  });

  it('is refused when it is there twice, be it the same', async () => {
    expect(await keyOf('Idempotency-Key: a', 'Idempotency-Key: b')).toBe(400);
    expect(await keyOf('Idempotency-Key: a', 'idempotency-key: a')).toBe(400);
  });

  it.each(['"', '"a', '"a"b"', '"a" b', '"a\\', '"a\\"', '"a\\b"', '"a""b"'])(
    'is refused when it is quoted as in %s',
    async (value) => {
      expect(await keyOf(`Idempotency-Key: ${value}`)).toBe(400);
    },
  );
});
