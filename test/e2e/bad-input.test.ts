import { describe, expect, test } from 'vitest';
import { type Reply, request, type RequestOptions } from '../support/http.ts';
import { paths, refusalOf, serveRefusing } from '../support/refusal.ts';

// Malformed messages: each is refused with a reason, and never stored.

const services = serveRefusing();
type Role = keyof typeof paths;

const form = 'application/x-www-form-urlencoded';
const json = 'application/json';
const ndjson = 'application/x-ndjson';

const post = (role: Role, type: string, body: RequestOptions['body'], more = {}): Promise<Reply> =>
  request(new URL(paths[role], services()[role].url), {
    method: 'POST',
    // A server need not read a whole request if the client closes the connection after it.
    headers: { connection: 'keep-alive', 'content-type': type, ...more },
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
    expect(refusalOf(await post(role, type, body))).toBe(status);
  });

  test('refuses an encoded body', async () => {
    for (const encoding of ['gzip', 'br', 'identity, gzip', 'nonsense']) {
      const more = { 'content-encoding': encoding };
      expect(refusalOf(await post(role, form, 'id=one&txt=a', more))).toBe(415);
    }
  });

  test('refuses a body that grows too large without having said so', async () => {
    const more = { 'transfer-encoding': 'chunked' };
    expect(refusalOf(await post(role, form, `id=one&txt=${huge}`, more))).toBe(413);
  });
});

describe('the facade service alone', () => {
  test('refuses a text that is no UTF-8, and an empty one as the reference does', async () => {
    expect(refusalOf(await post('facade', 'text/plain', Buffer.from([0x61, 0xff])))).toBe(400);
    expect(refusalOf(await post('facade', 'text/plain; charset=utf-16', 'a'))).toBe(415);
    const replies = [
      await post('facade', 'text/plain', ''),
      await post('facade', json, '{"id":"one"}'),
      await post('facade', json, '{"id":"one","txt":""}'),
    ];
    for (const reply of replies)
      expect(reply).toMatchObject({ status: 400, text: '"No message"\n' });
  });

  test('refuses an empty id in a form', async () => {
    expect(refusalOf(await post('facade', form, 'id=&txt=a'))).toBe(400);
  });

  test.each<[string, string | string[]]>([
    ['two keys', ['one', 'two']],
    ['two equal keys', ['one', 'one']],
    ['a key other than the id', 'two'],
    ['an empty key', ''],
    ['a quoted key that does not end', '"one'],
    ['a key with an unknown escape', String.raw`"o\ne"`],
    ['a key of 257 bytes', 'x'.repeat(257)],
  ])('refuses %s', async (_, key) => {
    const more = { 'idempotency-key': key };
    const body = key === 'two' ? 'id=one&txt=a' : 'txt=a';
    expect(refusalOf(await post('facade', form, body, more))).toBe(400);
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
      expect(refusalOf(reply)).toBe(400);
      expect(JSON.parse(reply.text)).toMatchObject({
        line: 3,
        detail: expect.stringContaining('3'),
      });
    }
  });

  test('refuses NDJSON of more than 10,000 lines or 8 MiB', async () => {
    const lines = Array.from({ length: 10_001 }, (_, n) => `{"id":"${n}","txt":"a"}`);
    expect(refusalOf(await post('logging', ndjson, lines.join('\n')))).toBe(413);
    const txt = 'x'.repeat(1_000_000);
    const heavy = Array.from({ length: 9 }, (_, n) => JSON.stringify({ id: `${n}`, txt }));
    expect(refusalOf(await post('logging', ndjson, heavy.join('\n')))).toBe(413);
    expect(
      refusalOf(
        await post('logging', ndjson, heavy.join('\n'), { 'transfer-encoding': 'chunked' }),
      ),
    ).toBe(413);
  });
});
