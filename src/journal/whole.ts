import { MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';

/** The entries that a list announces: those after `after`, up to and including `to`. */
export interface Span {
  readonly after: number;
  readonly to: number;
}

/**
 * Passes on the pages of a list and checks that they are the announced ones. If a body ends with
 * its connection, a list that was cut looks complete. Throws `unavailable` if the list ends too
 * early, `data_loss` if it skips an entry.
 */
export async function* wholePages(
  pages: AsyncIterable<readonly Entry[]>,
  { after, to }: Span,
): AsyncGenerator<readonly Entry[]> {
  let position = after;
  for await (const page of pages) {
    checkNoGap(position, page);
    position = page.at(-1)!.seq;
    yield page;
  }
  if (position < to) throw cutError(position, to);
}

/** Throws `data_loss` if a page does not follow a position directly, or has a gap itself. */
export function checkNoGap(position: number, page: readonly Entry[]): void {
  const [first, last] = [page[0]!.seq, page.at(-1)!.seq];
  if (first === position + 1 && last === position + page.length) return;
  throw new MlogError(
    'data_loss',
    `The journal skips entries: behind ${position} it gave ${page.length}, from ${first} to ${last}.`,
    { hint: 'Run `mlog verify` on the store they come from.' },
  );
}

function cutError(position: number, to: number): MlogError {
  return new MlogError(
    'unavailable',
    `The list was cut off behind entry ${position}; it was to end with entry ${to}.`,
  );
}
