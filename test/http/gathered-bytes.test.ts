import { expect, test } from 'vitest';
import { GatheredBytes } from '../../src/http/gathered-bytes.ts';

const gather = (gathered: GatheredBytes, ...pieces: string[]): string => {
  for (const piece of pieces) gathered.add(Buffer.from(piece));
  expect(gathered).toHaveLength(pieces.join('').length);
  return gathered.take().toString();
};

test('gives what was added, in its order, and begins anew', () => {
  const gathered = new GatheredBytes();
  expect(gather(gathered)).toBe('');
  expect(gather(gathered, 'lone')).toBe('lone');
  expect(gather(gathered, 'a', '', 'bc', 'x'.repeat(100), 'd')).toBe(`abc${'x'.repeat(100)}d`);
  expect(gather(gathered, '', 'e', 'f')).toBe('ef');
});

test('leaves the pieces and what it has given as they were', () => {
  const gathered = new GatheredBytes();
  const first = Buffer.from('first');
  gathered.add(first);
  const lone = gathered.take();
  gathered.add(first);
  gathered.add(Buffer.from('second'));
  const both = gathered.take();
  gathered.add(Buffer.from('third'));
  gathered.add(Buffer.from('fourth'));
  expect([first, lone, both].map(String)).toStrictEqual(['first', 'first', 'firstsecond']);
});

test('takes no more than about twice the bytes, however small the pieces are', () => {
  const gathered = new GatheredBytes();
  const piece = Buffer.from('x');
  for (let n = 0; n < 100_000; n += 1) gathered.add(piece);
  expect(gathered.take().buffer.byteLength).toBeLessThanOrEqual(200_000);
});

test('gives large bodies whole, whatever their pieces', () => {
  const gathered = new GatheredBytes();
  const whole = Buffer.from(Array.from({ length: 1_000_003 }, (_, n) => (n * 7) % 251));
  for (const pieceBytes of [1_013, 65_536, 262_144, 300_000]) {
    for (let from = 0; from < whole.length; from += pieceBytes) {
      gathered.add(whole.subarray(from, from + pieceBytes));
    }
    expect(gathered).toHaveLength(whole.length);
    expect(gathered.take().equals(whole)).toBe(true);
  }
});
