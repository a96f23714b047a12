import { expect, it } from 'vitest';
import { wholePages } from '../../src/journal/whole.ts';
import type { Entry } from '../../src/message.ts';
import { entriesFrom } from '../contract/follow-contract.ts';

async function* pagesOf(...pages: Entry[][]): AsyncGenerator<Entry[]> {
  yield* pages;
}

async function collect(pages: AsyncIterable<readonly Entry[]>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const page of pages) seqs.push(...page.map(({ seq }) => seq));
  return seqs;
}

it('passes on a list that goes as far as was announced', async () => {
  const pages = pagesOf(entriesFrom(3, 4), entriesFrom(5, 7));
  expect(await collect(wholePages(pages, { after: 2, to: 7 }))).toEqual([3, 4, 5, 6, 7]);
  expect(await collect(wholePages(pagesOf(), { after: 7, to: 7 }))).toEqual([]);
});

it.each([
  ['in its middle', [entriesFrom(3, 4)], '4'],
  ['before it began', [], '2'],
])('takes no list for whole that was cut off %s', async (_, pages, last) => {
  await expect(collect(wholePages(pagesOf(...pages), { after: 2, to: 7 }))).rejects.toMatchObject({
    code: 'unavailable',
    message: `The list was cut off behind entry ${last}; it was to end with entry 7.`,
  });
});

it.each([
  ['between two pages', [entriesFrom(3, 4), entriesFrom(6, 7)]],
  ['at the beginning', [entriesFrom(4, 7)]],
  ['within a page', [[...entriesFrom(3, 4), ...entriesFrom(6, 7)]]],
  ['by going back', [entriesFrom(3, 5), entriesFrom(5, 7)]],
])('takes no list that skips entries %s', async (_, pages) => {
  await expect(collect(wholePages(pagesOf(...pages), { after: 2, to: 7 }))).rejects.toMatchObject({
    code: 'data_loss',
  });
});
