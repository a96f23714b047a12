import { beforeEach, expect, it, vi } from 'vitest';
import { createBurst } from '../../src/observe/burst.ts';

let lines: string[];
let tell: (kind: string, text: string) => void;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const burst = createBurst();
  tell = (kind, text) => burst(kind, ({ more = 0 }) => lines.push(`${text} +${more}`));
  return () => vi.useRealTimers();
});

it('tells the first one at once, and one a second as long as a burst goes on', () => {
  for (let n = 0; n < 30; n += 1) {
    tell('a', `${n}`);
    vi.advanceTimersByTime(100);
  }
  expect(lines).toEqual(['0 +0', '9 +8', '19 +9', '29 +9']);
});

it('leaves nothing out, and tells one that stands alone as it is', () => {
  tell('a', 'first');
  tell('a', 'second');
  vi.advanceTimersByTime(1_000);
  expect(lines).toEqual(['first +0', 'second +0']);
  vi.advanceTimersByTime(10_000);
  tell('a', 'third');
  expect(lines).toEqual(['first +0', 'second +0', 'third +0']);
});

it('holds no kind back for another one', () => {
  tell('a', 'a1');
  tell('b', 'b1');
  tell('a', 'a2');
  expect(lines).toEqual(['a1 +0', 'b1 +0']);
});
