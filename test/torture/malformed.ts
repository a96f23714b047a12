import { type Post, types } from './clients.ts';
import type { Random } from './random.ts';

/** A request that must be refused. */
export type Malformed = Post & {
  /** What is wrong with it. */
  kind: string;
  service: 'facade' | 'logging';
  /** Refusals of lines come in a 200, because the facade answers NDJSON line by line. */
  answersLines?: true;
};

type Make = (random: Random, id: string) => Omit<Malformed, 'kind' | 'service'>;

const form = (body: string | Buffer): Post => ({ type: types.form, body });
const json = (body: string | Buffer): Post => ({ type: types.json, body });
const ndjson = (body: string): Post => ({ type: types.ndjson, body });
const good = (id: string, txt = 'text'): string => JSON.stringify({ id, txt });
const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

/**
 * Bytes that are not UTF-8: stray and truncated ones, overlong ones, surrogates, beyond Unicode.
 */
const badBytes = [[0x80], [0xff], [0xe2, 0x82], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80]];
const badEscapes = ['%', '%4', '%zz', '%ff', '%c0%80', '%ed%a0%80', '%f5%80%80%80', '%E2%82'];
const badJson = ['{', '[]', '17', 'null', '"text"', '', '{"id":"a","txt":"b"', '\u0000', 'nope'];
const badTexts = [
  '17',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  String.raw`"\ud800"`,
  String.raw`"\udc00a"`,
];
const badIds = ['17', 'true', '[]', '{}', '""', String.raw`"\ud800"`, `"${'é'.repeat(129)}"`];
const otherTypes = ['image/png', 'multipart/form-data; boundary=x', 'text/html', ';;;'];

/** What both services refuse, whatever they are asked to store. */
const kinds: Record<string, Make> = {
  'a bad escape': (random, id) => form(`id=${id}&txt=a${random.pick(badEscapes)}`),
  'a bad escape in the id': (random, id) => form(`id=${id}${random.pick(badEscapes)}&txt=a`),
  'raw bytes': (random, id) => form(bytes(`id=${id}&txt=a`, random.pick(badBytes))),
  'a field twice': (random, id) => form(`id=${id}&txt=a&${random.pick([`id=${id}`, 'txt=a'])}`),
  'a long id': (random, id) => form(`id=${id}${'x'.repeat(random.whole(257, 400))}&txt=a`),
  'no JSON': (random) => json(random.pick(badJson)),
  'more than JSON': (random, id) => json(`${random.pick(['{}', '1', '"', ','])} ${good(id)}`),
  'a bad text': (random, id) => json(`{"id":"${id}","txt":${random.pick(badTexts)}}`),
  'a bad id': (random, id) => json(`{"id":${random.pick(badIds)},"txt":"of ${id}"}`),
  'JSON of bytes': (random, id) =>
    json(bytes(`{"id":"${id}","txt":"`, random.pick(badBytes), '"}')),
  'another type': (random, id) => ({ type: random.pick(otherTypes), body: `id=${id}&txt=a` }),
  'another charset': (_, id) => ({ type: `${types.form}; charset=latin1`, body: `id=${id}&txt=a` }),
  'an encoding': (random, id) => ({
    ...form(`id=${id}&txt=a`),
    headers: { 'content-encoding': random.pick(['gzip', 'br', 'deflate', 'nonsense']) },
  }),
  // Large requests take time, so most of these are only slightly too large, in the id.
  'too large': (random, id) =>
    random.chance(0.05)
      ? json(good(id, 'x'.repeat(1_048_577)))
      : json(good(id + 'x'.repeat(257), 'text')),
};

/** What only the logging service refuses: there, NDJSON is one append, all or nothing. */
const loggingKinds: Record<string, Make> = {
  'a bad line': (random, id) => {
    const lines = Array.from({ length: random.whole(1, 20) }, (_, n) => good(`${id}-${n}`));
    const bad = random.pick([...badJson.slice(0, 5), '{"txt":""}', '{"id":"","txt":"a"}']);
    return ndjson([...lines, bad, good(`${id}-last`)].join('\n'));
  },
  'too many lines': (random, id) => {
    const count = random.chance(0.05) ? 10_001 : 10;
    const lines = Array.from({ length: count }, (_, n) => good(`${id}-${n}`));
    return ndjson(count > 10_000 ? lines.join('\n') : `${lines.join('\n')}\n{`);
  },
  'no id or text': (random, id) => form(random.pick([`id=${id}`, `id=${id}&txt=`, `txt=${id}`])),
};

const facadeKinds: Record<string, Make> = {
  'no text': (random, id) => form(random.pick([`id=${id}`, `id=${id}&txt=`, `ID=${id}&TXT=a`])),
  'text that is no UTF-8': (random, id) => ({
    type: types.text,
    body: bytes(`of ${id}`, random.pick(badBytes)),
  }),
  'a key beside another id': (_, id) => ({
    ...form(`id=${id}&txt=a`),
    headers: { 'idempotency-key': `${id}-other` },
  }),
  'a bad key': (random, id) => ({
    ...form(`txt=of ${id}`),
    headers: { 'idempotency-key': random.pick(['', '"', `"${id}`, 'x'.repeat(257), '"\\n"']) },
  }),
  'bad lines': (random, id) => ({
    ...ndjson(
      Array.from(
        { length: random.whole(1, 20) },
        () => `{"id":"${id}","txt":${random.pick(badTexts)}}`,
      ).join('\n'),
    ),
    answersLines: true,
  }),
};

const all: Record<Malformed['service'], [kind: string, make: Make][]> = {
  facade: Object.entries({ ...kinds, ...facadeKinds }),
  logging: Object.entries({ ...kinds, ...loggingKinds }),
};

/** Makes a random request that must be refused. What it would store has `id` in its id or text. */
export const makeMalformed = (random: Random, id: string): Malformed => {
  const service = random.pick(['facade', 'logging'] as const);
  const [kind, make] = random.pick(all[service]);
  return { kind, service, ...make(random, id) };
};
