import { expect, it } from 'vitest';
import type { InputLine } from '../../../src/commands/send/line-input.ts';
import { requestMaxBytes, RequestSize } from '../../../src/commands/send/request-size.ts';

const lines = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, index) => ({ line: index + 1, bytes }) as InputLine);

const many = lines(20_000, 1_000);
const sizeOf = (size: RequestSize) => size.take(many).length * 1_000;

it('begins with what a proxy takes at its defaults', () => {
  expect(sizeOf(new RequestSize())).toBe(1_000_000);
});

it('takes a line however large it is', () => {
  expect(new RequestSize().take(lines(2, 2_000_000))).toHaveLength(1);
  expect(new RequestSize().take([])).toEqual([]);
});

it('grows while full requests are answered quickly, up to a limit', () => {
  const size = new RequestSize();
  size.noteAnswered(size.take(many), 10);
  expect(sizeOf(size)).toBe(2_000_000);
  size.noteAnswered(size.take(many), 5_000);
  size.noteAnswered(lines(10, 1_000), 10);
  expect(sizeOf(size)).toBe(2_000_000);
  for (let time = 0; time < 10; time += 1) size.noteAnswered(size.take(many), 10);
  expect(sizeOf(size)).toBe(requestMaxBytes);
});

it('halves a request that was too large, and does not grow again', () => {
  const size = new RequestSize();
  size.noteAnswered(size.take(many), 10);
  size.noteTooLarge(size.take(many));
  expect(sizeOf(size)).toBe(1_000_000);
  size.noteAnswered(size.take(many), 10);
  expect(sizeOf(size)).toBe(1_000_000);
});
