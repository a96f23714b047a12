import type { Entry } from '../message.ts';

/** Small parts, so that a reader that takes little or nothing holds little. */
const partMaxCount = 200;
const partMaxLength = 64 * 1024;

/** Gives the first such part of what stands from an index on, if anything does. */
export function firstPart(entries: readonly Entry[], from: number): readonly Entry[] | undefined {
  return cutPage(entries.slice(from, from + partMaxCount)).next().value ?? undefined;
}

/** Cuts a page into parts of so many entries and so much text at the most; a larger one is alone. */
export function* cutPage(page: readonly Entry[]): Generator<readonly Entry[]> {
  let from = 0;
  let length = 0;
  for (const [index, { txt }] of page.entries()) {
    const isFull = index - from === partMaxCount || length + txt.length > partMaxLength;
    if (isFull && index > from) {
      yield page.slice(from, index);
      from = index;
      length = 0;
    }
    length += txt.length;
  }
  if (from < page.length) yield page.slice(from);
}
