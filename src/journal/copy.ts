import { MlogError } from '../errors.ts';

/** Throws `conflict` if a store is a copy of a journal other than the given one. */
export function checkOriginal(journal: string | undefined, recorded: string | undefined): void {
  if (journal && recorded !== undefined && recorded !== journal) throw otherOriginalError();
}

/** Returns the error for a journal that is not the one that was copied. */
export function otherOriginalError(cause?: unknown): MlogError {
  return new MlogError('conflict', 'This is a copy of another journal.', {
    hint: 'Name a new file; this one is unchanged.',
    cause,
  });
}

/** Returns the error for an entry that does not continue a copy. */
export function copyError(seq: number, lastSeq: number): MlogError {
  return new MlogError('conflict', `Entry ${seq} does not follow entry ${lastSeq}.`, {
    hint: 'This is a copy of another journal. Copy into a new file.',
  });
}
