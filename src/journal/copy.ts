import { isDeepStrictEqual } from 'node:util';
import { MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import type { Journal, Store } from './journal.ts';

/** Where a copy goes on, as a range to read or to follow. */
export interface CopyEnd {
  readonly after: number;
  /** The id of the original, to be recorded with what is copied; undefined where it tells none. */
  readonly journal: string | undefined;
}

/**
 * Checks that a copy can go on where it is: the original has to be the journal it was copied from,
 * and its newest entry the same entry there. Throws `conflict` where it is not, `gone` where the copy
 * is too far behind.
 */
export async function findCopyEnd(
  original: Pick<Journal, 'head' | 'read'>,
  copy: Store,
): Promise<CopyEnd> {
  const [theirs, ours] = [await original.head(), await copy.head()];
  const journal = theirs.journal || undefined;
  checkOriginal(journal, await copy.original());
  if (ours.lastSeq < ours.firstSeq) return { after: theirs.firstSeq - 1, journal };
  const range = { after: ours.lastSeq - 1, limit: 1 };
  const isThere = ours.lastSeq <= theirs.lastSeq;
  const found = isThere ? await firstOf(original.read({ ...range, journal })) : undefined;
  if (!isDeepStrictEqual(found, await firstOf(copy.read(range)))) throw anotherError();
  return { after: ours.lastSeq, journal };
}

/** Throws `conflict` where a store is a copy of another journal than the given one. */
export function checkOriginal(journal: string | undefined, recorded: string | undefined): void {
  if (journal && recorded !== undefined && recorded !== journal) throw anotherError();
}

function anotherError(): MlogError {
  return new MlogError('conflict', 'The copy is one of another journal.', {
    hint: 'Give a new file; this one was left as it is.',
  });
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
