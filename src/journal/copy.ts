import { MlogError } from '../errors.ts';

/** Throws `conflict` if a store is a copy of a journal other than the given one. */
export function checkOriginal(journal: string | undefined, recorded: string | undefined): void {
  if (journal && recorded !== undefined && recorded !== journal) throw otherOriginalError();
}

/** Returns the error for a journal that is not the one that was copied. */
export function otherOriginalError(cause?: unknown): MlogError {
  return new MlogError('conflict', 'The copy is one of another journal.', {
    hint: 'Give a new file; this one was left as it is.',
    cause,
  });
}

/** Returns the error for an entry that does not continue a copy. */
export function copyError(seq: number, lastSeq: number): MlogError {
  return new MlogError('conflict', `Entry ${seq} does not follow entry ${lastSeq}.`, {
    hint: 'The copy is one of another journal. Copy into a new file.',
  });
}
