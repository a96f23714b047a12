import { MlogError } from '../errors.ts';
import type { Head } from './journal.ts';

/** The error for a position behind which entries were removed. */
export function goneError(after: number, firstSeq: number): MlogError {
  return new MlogError('gone', `What came right behind entry ${after} was removed by retention.`, {
    hint: `The oldest entry there is has seq ${firstSeq}; begin after ${firstSeq - 1}.`,
    details: { firstSeq },
  });
}

/**
 * Says whether a journal is another one than somebody asks for by its id. An id that is empty, as of
 * a service which tells none, is not known and cannot be compared.
 */
export function isOtherJournal(asked: string | undefined, journal: string): boolean {
  return Boolean(asked) && journal !== '' && asked !== journal;
}

/** Throws `gone` where somebody asks for a journal by its id and this is another one. */
export function checkJournal(asked: string | undefined, journal: string): void {
  if (!isOtherJournal(asked, journal)) return;
  throw new MlogError('gone', `This is journal ${journal}; the position belongs to ${asked}.`, {
    hint: 'Another store has taken the place of that one. Read this journal from its beginning.',
    details: { journal },
  });
}

/** Throws `gone` where a journal ends before an entry that was read from it: it is another one. */
export function checkSeen(seen: number, { firstSeq, lastSeq }: Head): void {
  if (seen > lastSeq) {
    throw new MlogError('gone', `There is no entry ${seen}: the journal ends at ${lastSeq}.`, {
      hint: `The position is one of another journal; here the oldest entry has seq ${firstSeq}.`,
      details: { firstSeq },
    });
  }
}

/** The error for a place at which a journal has another entry than the one that was read there. */
export function replacedError(seq: number): MlogError {
  return new MlogError('gone', `Entry ${seq} is another one than the entry ${seq} that was read.`, {
    hint: 'The journal was replaced, perhaps by an older copy of it. To read it, begin anew.',
  });
}
