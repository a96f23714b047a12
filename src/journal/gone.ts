import { MlogError } from '../errors.ts';
import type { Head } from './journal.ts';

/** Returns the error for a position after which entries were removed. */
export function goneError(after: number, firstSeq: number): MlogError {
  return new MlogError('gone', `The entry after ${after} was removed by retention.`, {
    hint: `The oldest entry has seq ${firstSeq}; begin after ${firstSeq - 1}.`,
    details: { firstSeq },
  });
}

/**
 * Says whether a reader asks for another journal than this one. An empty id is unknown, as from a
 * service that tells none, and matches any journal.
 */
export function isOtherJournal(asked: string | undefined, journal: string): boolean {
  return Boolean(asked) && journal !== '' && asked !== journal;
}

/** Throws `gone` if a reader asks for another journal than this one. */
export function checkJournal(asked: string | undefined, journal: string): void {
  if (!isOtherJournal(asked, journal)) return;
  throw new MlogError('gone', `This is journal ${journal}; the position belongs to ${asked}.`, {
    hint: 'Another store has replaced it. Read this journal from its beginning.',
    details: { journal },
  });
}

/** Throws `gone` if a journal ends before an entry that was read from it: it is another journal. */
export function checkSeen(seen: number, { firstSeq, lastSeq }: Head): void {
  if (seen > lastSeq) {
    throw new MlogError('gone', `There is no entry ${seen}: the journal ends at ${lastSeq}.`, {
      hint: `The position is from another journal; the oldest entry here has seq ${firstSeq}.`,
      details: { firstSeq },
    });
  }
}

/** Returns the error for a position that now holds another entry than the one that was read. */
export function replacedError(seq: number): MlogError {
  return new MlogError('gone', `Entry ${seq} is not the entry ${seq} that was read before.`, {
    hint: 'The journal was replaced, perhaps by an older copy of it. Read it from its beginning.',
  });
}
