import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseAnyForm,
  parseAnyJson,
  parseForm,
  parseJson,
  parseNdjson,
  parsePlainForm,
  parsePlainJson,
  toEntryJson,
  toMessageLine,
  toResultLine,
} from '../../src/http/formats.ts';
import { encodeTexts, toJsonString } from '../../src/journal/texts.ts';

const bytes = (text: string) => Buffer.from(text);

/** Parts of the usual bodies, and malformed ones. */
const part = fc.oneof(
  fc.constantFrom('id', 'txt', '=', '&', '%20', '%', '+', 'é', '\0', '\n', '\\', '"', ' '),
  fc.constantFrom('{"id":"', '","txt":"', '{"txt":"', '"}', '\\u0041', '\\"', 'txt=', 'id=', '😀'),
);
const body = fc.array(part, { maxLength: 8 }).map((pieces) => pieces.join(''));
const short = fc.array(part, { maxLength: 2 }).map((pieces) => pieces.join(''));
const plainForm = fc.tuple(short, short).map(([id, txt]) => `id=${id}&txt=${txt}`);
const plainJson = fc.tuple(short, short).map(([id, txt]) => `{"id":"${id}","txt":"${txt}"}`);

/** Returns what a parser returns, or what it throws. */
function outcomeOf(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return error;
  }
}

describe('the cheap way', () => {
  it('reads forms as the general one does', () => {
    const seen = { cheap: 0, general: 0 };
    fc.assert(
      fc.property(fc.oneof(body, plainForm), (text) => {
        const plain = parsePlainForm(text);
        seen[plain ? 'cheap' : 'general'] += 1;
        if (plain) expect(outcomeOf(() => parseAnyForm(text))).toEqual(plain);
      }),
      { numRuns: 3_000 },
    );
    expect(Math.min(seen.cheap, seen.general)).toBeGreaterThan(50);
  });

  it('reads JSON as the general one does', () => {
    const seen = { cheap: 0, general: 0 };
    fc.assert(
      fc.property(fc.oneof(body, plainJson), (text) => {
        const plain = parsePlainJson(text);
        seen[plain ? 'cheap' : 'general'] += 1;
        if (plain) expect(outcomeOf(() => parseAnyJson(text))).toEqual(plain);
      }),
      { numRuns: 3_000 },
    );
    expect(Math.min(seen.cheap, seen.general)).toBeGreaterThan(50);
  });
});

describe('the cheap way to write', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), body, fc.string());

  it('is that of JSON.stringify, whatever is written', () => {
    fc.assert(
      fc.property(text, text, text, fc.nat(), (id, txt, at, seq) => {
        expect(toJsonString(txt)).toBe(JSON.stringify(txt));
        expect(toMessageLine({ id, txt })).toBe(`${JSON.stringify({ id, txt })}\n`);
        expect(toEntryJson({ seq, id, txt, at })).toBe(JSON.stringify({ seq, id, txt, at }));
        for (const place of [{ seq }, {}]) {
          const result = { id, ...place, status: 'logged' } as const;
          expect(toResultLine(result)).toBe(`${JSON.stringify(result)}\n`);
        }
      }),
    );
  });

  it.each(['\x7f', '\x1f', '\ud800', '\u2028', '/', '\\', '"'])('knows %j', (txt) => {
    expect(toJsonString(txt)).toBe(JSON.stringify(txt));
  });
});

describe('a form', () => {
  it('is read as URLSearchParams reads it, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (id, txt) => {
        const form = new URLSearchParams({ other: 'x', id, txt }).toString();
        expect(parseForm(bytes(form))).toEqual({ id, txt });
      }),
    );
  });

  it.each([
    ['txt=50% off', 'There is a malformed percent escape.'],
    ['txt=50%ff', 'The percent escapes are not valid UTF-8.'],
  ])('says what is wrong with the escape of %s', (form, said) => {
    expect(() => parseForm(Buffer.from(form))).toThrow(said);
  });

  it('is read from curl -d "txt=…" with bytes that are not escaped', () => {
    expect(parseForm(bytes('txt=Привіт, it is me'))).toEqual({ txt: 'Привіт, it is me' });
    expect(parseForm(bytes('txt=a=b'))).toEqual({ txt: 'a=b' });
    expect(parseForm(bytes('txt'))).toEqual({ txt: '' });
    expect(parseForm(bytes(''))).toEqual({});
    expect(parseForm(bytes('t%78t=a+b%2Bc'))).toEqual({ txt: 'a b+c' });
  });

  it.each(['txt=100%', 'txt=%zz', 'txt=%ff', 'txt=%ed%a0%80', 'txt=a&txt=b', 'id=1&id=1&txt=a'])(
    'is refused, not repaired: %s',
    (form) => {
      expect(() => parseForm(bytes(form))).toThrow(
        expect.objectContaining({ code: 'invalid_argument' }),
      );
    },
  );

  it('is refused when its bytes are not UTF-8', () => {
    expect(() => parseForm(Buffer.from([0x74, 0x78, 0x74, 0x3d, 0xff]))).toThrow('not valid UTF-8');
  });
});

describe('JSON', () => {
  it.each(['', '{', '[]', '7', '"a"', 'null', '[{"txt":"a"}]'])('is refused: %s', (text) => {
    expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  it.each([
    '{"id":"a","id":"b","txt":"c"}',
    '{"txt":"a", "txt":"a"}',
    '{ "id" :1,\n"id":2}',
    String.raw`{"txt":"a","\u0074xt":"b"}`,
    String.raw`{"id":"a","i\u0064":"a","txt":"c"}`,
    '{"txt":"a","txt":"b","z":null}',
    '{"txt":"a","txt":"b","z":{}}',
    '{"z":[{"q":[1,"a"]}],"txt":"a","z":null,"txt":"b"}',
    '{"z":{"txt":"c"},"txt":"a","y":"]}{\\"[","txt":"b"}',
  ])('is refused when it says a thing twice: %s', (text) => {
    expect(() => parseJson(text)).toThrow('is repeated');
  });

  it.each([
    '{"txt":"{\\"id\\":1,\\"id\\":2}"}',
    '{"txt":",","id":"{"}',
    '{"more":{"id":1},"id":"a"}',
    '{"id":"txt","more":[{"id":1,"txt":2},"id",{"id":1,"id":2}],"txt":"id"}',
    '{"z":1,"z":2,"txt":"a"}',
  ])('may speak of names in its texts: %s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it.each(['text', 'message', 'msg'])('says that the text is called txt, not %s', (name) => {
    expect(() => parseJson(JSON.stringify({ [name]: 'x' }))).toThrow(
      `The object has "${name}" and no member "txt".`,
    );
    expect(parseJson(JSON.stringify({ [name]: 'x', txt: 'y' }))).toMatchObject({ txt: 'y' });
  });

  it('has nothing to say by way of prototypes', () => {
    expect(parseJson('{"__proto__":{"txt":"a"}}').txt).toBeUndefined();
  });
});

describe('NDJSON', () => {
  it('skips blank lines and names the bad one as an editor counts', () => {
    const texts = parseNdjson('{"txt":"a"}\r\n\n{"txt":"b"}', 2, ({ txt }) => txt);
    expect(texts).toEqual(['a', 'b']);
    expect(() => parseNdjson('{"txt":"a"}\n\n{"txt"', 2, ({ txt }) => txt)).toThrow(
      expect.objectContaining({
        details: { line: 3 },
        message: expect.stringMatching(/^Line 3: /),
      }),
    );
  });

  it('of more lines than are allowed is refused before all of them are read', () => {
    const read: unknown[] = [];
    const text = '{"txt":"a"}\n'.repeat(5);
    expect(() => parseNdjson(text, 3, ({ txt }) => read.push(txt))).toThrow(
      expect.objectContaining({ code: 'too_large' }),
    );
    expect(read).toHaveLength(3);
  });
});

describe('the list of texts', () => {
  it('is one JSON array and a newline, whatever the pages', async () => {
    const entries = ['a', '"', '\u2028', 'é'].map((txt, index) => ({
      seq: index + 1,
      id: 'i',
      txt,
      at: '',
    }));
    for (const pages of [[], [entries], [entries.slice(0, 1), entries.slice(1)]]) {
      const text = (await collectPieces(encodeTexts(each(pages)))).join('');
      expect(text).toBe(`${JSON.stringify(pages.flat().map(({ txt }) => txt))}\n`);
    }
  });
});

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function collectPieces<T>(pieces: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}
