import { expect, it } from 'vitest';
import { wholeJson } from '../../../src/http/client/whole-json.ts';

async function* inPieces(text: string, size: number): AsyncGenerator<string> {
  for (let from = 0; from < text.length; from += size) yield text.slice(from, from + size);
}

async function pass(text: string, size: number): Promise<string> {
  let passed = '';
  for await (const piece of wholeJson(inPieces(text, size), 'http://there')) passed += piece;
  return passed;
}

const lists = [
  '[]\n',
  '["a","b"]\n',
  '["a","]","\\"]","\\\\","[","{\\n"]',
  '[\n  "a",\n  "b]"\n]\n',
  '{"a":["b",{"c":"}"}]}',
  '["\\\\\\"]"]',
];

it.each(lists)('passes on %j as it is, however it comes', async (list) => {
  for (const size of [1, 2, 3, 100]) expect(await pass(list, size)).toBe(list);
});

it.each(lists)('takes no beginning of %j for whole, wherever it was cut off', async (list) => {
  for (let end = 0; end < list.trimEnd().length; end += 1) {
    await expect(pass(list.slice(0, end), 3)).rejects.toMatchObject({ code: 'unavailable' });
  }
});
