import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitBytes, splitLines } from '../../src/http/lines.ts';

const limits = (lineMaxBytes: number) => ({ lineMaxBytes, heldMaxBytes: 1_000_000 });

test('bytes have lines of text, but for those that are not UTF-8', async () => {
  const whole = Buffer.concat([
    Buffer.from('{"a"}\n'),
    Buffer.from([0xff, 0x0a]),
    Buffer.from('😀\n\nlast'),
  ]);
  for (const size of [1, 2, 3, 7, 100]) {
    const lines = await collect(splitBytes(inBuffers(whole, size), limits(100)));
    expect(lines).toEqual(['{"a"}', undefined, '😀', '', 'last']);
  }
  const long = await collect(
    splitBytes(inBuffers(Buffer.from(`${'x'.repeat(50)}\nb\n`), 7), limits(10)),
  );
  expect(long.map((line) => line?.length)).toEqual([11, 1]);
  const cut = await collect(
    splitBytes(inBuffers(Buffer.from(`${'é'.repeat(50)}\n\xff\n`), 7), limits(10)),
  );
  expect(cut[0]!.length).toBeGreaterThan(10);
});

test('a byte order mark is nothing at the start of the bytes, and text elsewhere', async () => {
  const whole = Buffer.from('\uFEFFa\n\uFEFFb\n');
  for (const size of [1, 2, 100]) {
    expect(await collect(splitBytes(inBuffers(whole, size), limits(100)))).toEqual([
      'a',
      '\uFEFFb',
    ]);
  }
});

test('a line that was cut off with the bytes is left out, and the cut is told', async () => {
  const cutOff = async function* () {
    yield Buffer.from('whole\nha');
    yield Buffer.from('lf');
    throw new Error('cut off');
  };
  const lines: (string | undefined)[] = [];
  const reading = (async () => {
    for await (const some of splitBytes(cutOff(), limits(100))) lines.push(...some);
  })();
  await expect(reading).rejects.toThrow('cut off');
  expect(lines).toEqual(['whole']);
});

test('a reply that ends in the middle of a line was cut off', async () => {
  const reading = collect(splitLines(inPieces('{"a":1}\n{"a":', []), 100));
  await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
});

test('a line without an end is refused where it finds no room', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield await Promise.resolve(Buffer.from('x'.repeat(1_000)));
  }
  const refused = collect(splitBytes(endless(), { lineMaxBytes: 1e9, heldMaxBytes: 100_000 }));
  await expect(refused).rejects.toMatchObject({ code: 'overloaded' });
  const held = { lineMaxBytes: 1e9, heldMaxBytes: 100_000 };
  const line = 'x'.repeat(40_000);
  expect(await collect(splitBytes(inBuffers(Buffer.from(line), 1_000), held))).toEqual([line]);
});

test('text is cut into the same lines however it comes in pieces', async () => {
  const lines = ['{"txt":"a"}', '', '😀', 'last'];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20)), async (cuts) => {
      expect(await collect(splitLines(inPieces(`${lines.join('\n')}\n`, cuts), 100))).toEqual(
        lines,
      );
    }),
  );
});

test('a line that exceeds its limit ends the reading, also where the line has no end', async () => {
  const tooLong = {
    code: 'unavailable',
    message: expect.stringContaining('exceeds 10 ') as string,
  };
  const whole = `short\n${'x'.repeat(11)}\nshort\n`;
  await expect(collect(splitLines(inPieces(whole, []), 10))).rejects.toMatchObject(tooLong);
  let pieces = 0;
  async function* endless(): AsyncGenerator<string> {
    for (; pieces < 100; pieces += 1) yield await Promise.resolve('xxxx');
  }
  await expect(collect(splitLines(endless(), 10))).rejects.toMatchObject(tooLong);
  expect(pieces).toBe(2);
});

async function* inPieces(text: string, cuts: readonly number[]): AsyncGenerator<string> {
  let rest = text;
  for (const cut of cuts) {
    if (cut > 0 && rest.length > cut) yield rest.slice(0, cut);
    if (cut > 0 && rest.length > cut) rest = rest.slice(cut);
  }
  yield rest;
}

async function* inBuffers(whole: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < whole.length; from += size) yield whole.subarray(from, from + size);
}

async function collect<T>(pieces: AsyncIterable<T[]>): Promise<T[]> {
  const collected: T[] = [];
  for await (const piece of pieces) collected.push(...piece);
  return collected;
}
