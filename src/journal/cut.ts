import type { Entry } from '../message.ts';

/** Parts are small, so that a reader that takes little holds little memory. */
const partMaxCount = 200;
const partMaxLength = 64 * 1024;

/** Returns the first part of the entries from an index on, or undefined if there are none. */
export function firstPart(entries: readonly Entry[], from: number): readonly Entry[] | undefined {
  return cutPage(entries.slice(from, from + partMaxCount)).next().value ?? undefined;
}

/**
 * Cuts a page into parts, each bounded by count and by text. An entry beyond the bound is a part
 * alone.
 */
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
