import { isDeepStrictEqual } from 'node:util';
import { MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import type { Journal, Store } from './journal.ts';

/**
 * Checks that a copy can go on where it is: its newest entry has to be the same entry in the journal
 * that it is a copy of. Throws `conflict` where it is not, `gone` where the copy is too far behind.
 * Gives the position behind which the copy goes on.
 */
export async function findCopyEnd(
  original: Pick<Journal, 'head' | 'read'>,
  copy: Store,
): Promise<number> {
  const [theirs, ours] = [await original.head(), await copy.head()];
  if (ours.lastSeq < ours.firstSeq) return theirs.firstSeq - 1;
  const range = { after: ours.lastSeq - 1, limit: 1 };
  const isThere = ours.lastSeq <= theirs.lastSeq;
  const found = isThere ? await firstOf(original.read(range)) : undefined;
  if (!isDeepStrictEqual(found, await firstOf(copy.read(range)))) {
    throw new MlogError('conflict', 'The copy is one of another journal.', {
      hint: 'Give a new file; this one was left as it is.',
    });
  }
  return ours.lastSeq;
}

async function firstOf(pages: AsyncIterable<readonly Entry[]>): Promise<Entry | undefined> {
  for await (const [entry] of pages) return entry;
  return undefined;
}

/** The error for an entry of another journal that does not go on where a copy ends. */
export function copyError(seq: number, lastSeq: number): MlogError {
  return new MlogError('conflict', `Entry ${seq} does not follow entry ${lastSeq}.`, {
    hint: 'The copy is one of another journal. Copy into a new file.',
  });
}
