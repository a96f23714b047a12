import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Reply, rawRequest, request, type RequestOptions } from '../support/http.ts';
import { openSandbox, type Services } from '../support/sandbox.ts';
import { readEntries } from '../support/writers.ts';

// Whatever a client gets wrong is refused with a reason, and a refused message was never stored.

let services: Services;
beforeAll(async () => {
  const sandbox = await openSandbox();
  services = await sandbox.serveApart();
  return () => sandbox.close();
});

afterEach(async () => {
  expect(await readEntries(services.logging.url)).toStrictEqual([]);
  for (const { url } of Object.values(services)) {
    expect(await request(new URL('/livez', url))).toMatchObject({ status: 200 });
  }
});

const paths = { facade: '/', logging: '/logging' };
type Role = keyof typeof paths;

const expectProblem = (reply: Pick<Reply, 'status' | 'headers' | 'text'>, status: number): void => {
  expect([reply.status, reply.headers['content-type']]).toStrictEqual([
    status,
    'application/problem+json',
  ]);
  const problem = JSON.parse(reply.text) as Record<string, unknown>;
  expect(problem).toMatchObject({
    status,
    title: expect.stringMatching(/\w/),
    detail: expect.stringMatching(/\w.*\.$/),
  });
  expect(reply.text).not.toMatch(/\bat \S+:\d+:\d+/);
};

const form = 'application/x-www-form-urlencoded';
const json = 'application/json';
const ndjson = 'application/x-ndjson';

const post = (role: Role, type: string, body: RequestOptions['body'], more = {}): Promise<Reply> =>
  request(new URL(paths[role], services[role].url), {
    method: 'POST',
    headers: { 'content-type': type, ...more },
    ...(body !== undefined && { body }),
  });

const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

const large = 'x'.repeat(1_048_577);
const huge = 'x'.repeat(7_000_000);
const badBodies: [name: string, type: string, body: string | Buffer, status: number][] = [
  ['a percent escape that is none', form, 'id=one&txt=100%', 400],
  ['a percent escape with other letters', form, 'id=one&txt=%zz', 400],
  ['an escaped byte that is no UTF-8', form, 'id=one&txt=%ff', 400],
  ['an escaped overlong NUL', form, 'id=one&txt=%c0%80', 400],
  ['an escaped surrogate', form, 'id=one&txt=%ed%a0%80', 400],
  ['an id that is no UTF-8', form, 'id=%80&txt=a', 400],
  ['a raw byte that is no UTF-8', form, bytes('id=one&txt=a', [0xff]), 400],
  ['a cut character', form, bytes('id=one&txt=', [0xe2, 0x82]), 400],
  ['two texts', form, 'id=one&txt=a&txt=b', 400],
  ['two equal texts', form, 'id=one&txt=a&txt=a', 400],
  ['two ids', form, 'id=one&id=two&txt=a', 400],
  ['an id of 257 bytes', form, `id=${'x'.repeat(257)}&txt=a`, 400],
  ['an id of 129 characters and 258 bytes', form, `id=${'é'.repeat(129)}&txt=a`, 400],
  ['a text over a megabyte', form, `id=one&txt=${large}`, 413],
  ['a body beyond any text', form, `id=one&txt=${huge}`, 413],
  ['no JSON', json, '{"id":"one","txt":"a"', 400],
  ['an empty body of JSON', json, '', 400],
  ['a JSON array', json, '[{"id":"one","txt":"a"}]', 400],
  ['a JSON number', json, '17', 400],
  ['a JSON null', json, 'null', 400],
  ['a text that is a number', json, '{"id":"one","txt":17}', 400],
  ['an id that is a number', json, '{"id":17,"txt":"a"}', 400],
  ['an empty id', json, '{"id":"","txt":"a"}', 400],
  ['an id that is null', json, '{"id":null,"txt":"a"}', 400],
  ['a lone surrogate in a text', json, String.raw`{"id":"one","txt":"a\ud800"}`, 400],
  ['a lone surrogate in an id', json, String.raw`{"id":"\udc00","txt":"a"}`, 400],
  ['JSON that is no UTF-8', json, bytes('{"id":"one","txt":"', [0xff], '"}'), 400],
  ['a JSON text over a megabyte', json, JSON.stringify({ id: 'one', txt: large }), 413],
  ['an image', 'image/png', 'id=one&txt=a', 415],
  ['a form with files', 'multipart/form-data; boundary=x', '--x--', 415],
  ['a Latin-1 form', `${form}; charset=latin1`, 'id=one&txt=a', 415],
  ['a media type that is none', ';;;', 'id=one&txt=a', 415],
];

describe.each<Role>(['facade', 'logging'])('the %s service', (role) => {
  test.each(badBodies)('refuses %s', async (_, type, body, status) => {
    expectProblem(await post(role, type, body), status);
  });

  test('refuses an encoded body', async () => {
    for (const encoding of ['gzip', 'br', 'identity, gzip', 'nonsense']) {
      const more = { 'content-encoding': encoding };
      expectProblem(await post(role, form, 'id=one&txt=a', more), 415);
    }
  });

  test('refuses a body that grows too large without having said so', async () => {
    const more = { 'transfer-encoding': 'chunked' };
    expectProblem(await post(role, form, `id=one&txt=${huge}`, more), 413);
  });

  test('refuses a body that says it is too large, before it comes', async () => {
    const { url } = services[role];
    const head = `POST ${paths[role]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
    const raw = await rawRequest(
      url,
      `${head}Content-Type: ${form}\r\nContent-Length: 1e9\r\n\r\n`,
    );
    expectProblem(parseRaw(raw), 400);
    const rest = `Content-Type: ${form}\r\nContent-Length: 999999999999\r\n\r\n`;
    expectProblem(parseRaw(await rawRequest(url, head + rest)), 413);
  });

  test('has nothing at other paths', async () => {
    for (const path of ['/nothing', '/logging/', '//', '/%2e', '/__proto__', '/constructor']) {
      for (const method of ['GET', 'POST']) {
        const body = method === 'POST' ? 'id=one&txt=a' : undefined;
        const url = new URL(services[role].url + path);
        const reply = await request(url, { method, ...(body !== undefined && { body }) });
        expectProblem(reply, 404);
      }
    }
  });

  test('names the methods of a path where another one is used', async () => {
    const url = new URL(paths[role], services[role].url);
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
      const reply = await request(url, { method, body: 'id=one&txt=a' });
      expectProblem(reply, 405);
      expect(reply.headers.allow).toBe('GET, HEAD, POST');
    }
    const reply = await request(new URL('/livez', url), { method: 'POST', body: 'id=one&txt=a' });
    expectProblem(reply, 405);
    expect(reply.headers.allow).toBe('GET, HEAD');
  });

  test('refuses a query that it does not know', async () => {
    const queries = ['after=-1', 'after=x', 'limit=1&last=1', 'limit=1&limit=1', 'lmit=1', 'id='];
    for (const query of queries) {
      const url = new URL(`${paths[role]}?${query}`, services[role].url);
      expectProblem(await request(url), 400);
    }
    const url = new URL(paths[role], services[role].url);
    expectProblem(await request(url, { headers: { accept: 'image/png' } }), 406);
  });

  const badHttp: [name: string, text: string, status: number][] = [
    ['another protocol', '\u0016\u0003\u0001\u0002\0\u0001\0\u0001hello\r\n\r\n', 400],
    ['a request without a target', 'GET\r\n\r\n', 400],
    ['another version', `POST ${paths[role]} HTTP/9.9\r\nHost: x\r\n\r\n`, 400],
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
    ['a target of 17 KiB', `POST /${'x'.repeat(17_408)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ];

  test.each(badHttp)('refuses %s', async (_, text, status) => {
    const isWhole = /^(GET|POST|\W)/.test(text);
    const head = isWhole ? '' : `POST ${paths[role]} HTTP/1.1\r\nHost: x\r\n`;
    expectProblem(parseRaw(await rawRequest(services[role].url, head + text)), status);
  });

  test('refuses a request without a host', async () => {
    const head = `POST ${paths[role]} HTTP/1.1\r\nConnection: close\r\nContent-Length: 12\r\n`;
    const raw = await rawRequest(services[role].url, `${head}\r\nid=one&txt=a`);
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
  });
});

/** Takes a reply apart that came without a client; only the first one, and only simple ones. */
const parseRaw = (raw: string): Reply => {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => line.split(': ')).map(([name, value]) => [name!.toLowerCase(), value!]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') };
};

describe('the facade service alone', () => {
  test('refuses a text that is no UTF-8, and an empty one as the reference does', async () => {
    expectProblem(await post('facade', 'text/plain', Buffer.from([0x61, 0xff])), 400);
    expectProblem(await post('facade', 'text/plain; charset=utf-16', 'a'), 415);
    const replies = [
      await post('facade', 'text/plain', ''),
      await post('facade', json, '{"id":"one"}'),
      await post('facade', json, '{"id":"one","txt":""}'),
    ];
    for (const reply of replies)
      expect(reply).toMatchObject({ status: 400, text: '"No message"\n' });
  });

  test('refuses an empty id in a form', async () => {
    expectProblem(await post('facade', form, 'id=&txt=a'), 400);
  });

  test.each<[string, string | string[]]>([
    ['two keys', ['one', 'two']],
    ['two equal keys', ['one', 'one']],
    ['a key other than the id', 'two'],
    ['an empty key', ''],
    ['a quoted key that does not end', '"one'],
    ['a key with an unknown escape', String.raw`"o\ne"`],
    ['a key of 257 bytes', 'x'.repeat(257)],
    ['a key that is no UTF-8', '\u00ff'],
  ])('refuses %s', async (_, key) => {
    const more = { 'idempotency-key': key };
    const body = key === 'two' ? 'id=one&txt=a' : 'txt=a';
    expectProblem(await post('facade', form, body, more), 400);
  });

  test('answers every bad line of NDJSON and stores none of them', async () => {
    const lines = [
      'no JSON',
      '[]',
      '{"id":"one"}',
      '{"txt":""}',
      String.raw`{"txt":"\ud800"}`,
      '7',
    ];
    const reply = await post('facade', ndjson, lines.join('\n'));
    expect(reply.status).toBe(200);
    const answers = reply.text.trimEnd().split('\n');
    expect(answers.map((answer) => JSON.parse(answer) as unknown)).toStrictEqual(
      lines.map((_, index) => ({
        line: index + 1,
        status: 'refused',
        error: expect.stringMatching(/\w/),
      })),
    );
  });
});

describe('the logging service alone', () => {
  test('says of a form without id or text what the reference says', async () => {
    for (const body of ['', 'id=&txt=a', 'id=one&txt=', 'id=one', 'txt=a', '&&&', 'ID=one&TXT=a']) {
      const reply = await post('logging', form, body);
      expect(reply).toMatchObject({ status: 400, text: '"No id or text"\n' });
    }
  });

  test('stores nothing of NDJSON with one bad line, and names the line', async () => {
    const good = (n: number): string => JSON.stringify({ id: `id-${n}`, txt: 'a' });
    for (const bad of [
      'no JSON',
      '17',
      '{"id":"","txt":"a"}',
      '{"id":"one","txt":""}',
      '{"txt":1}',
    ]) {
      const reply = await post('logging', ndjson, [good(1), good(2), bad, good(4)].join('\n'));
      expectProblem(reply, 400);
      expect(JSON.parse(reply.text)).toMatchObject({
        line: 3,
        detail: expect.stringContaining('3'),
      });
    }
  });

  test('refuses NDJSON of more than 10,000 lines or 8 MiB', async () => {
    const lines = Array.from({ length: 10_001 }, (_, n) => `{"id":"${n}","txt":"a"}`);
    expectProblem(await post('logging', ndjson, lines.join('\n')), 413);
    const txt = 'x'.repeat(1_000_000);
    const large = Array.from({ length: 9 }, (_, n) => JSON.stringify({ id: `${n}`, txt }));
    expectProblem(await post('logging', ndjson, large.join('\n')), 413);
    expectProblem(
      await post('logging', ndjson, large.join('\n'), { 'transfer-encoding': 'chunked' }),
      413,
    );
  });
});
