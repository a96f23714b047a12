import { MlogError } from '../errors.ts';

/** Throws `conflict` where a store is a copy of another journal than the given one. */
export function checkOriginal(journal: string | undefined, recorded: string | undefined): void {
  if (journal && recorded !== undefined && recorded !== journal) throw otherOriginalError();
}

/** The error for a journal that is not the one of which a copy was made. */
export function otherOriginalError(cause?: unknown): MlogError {
  return new MlogError('conflict', 'The copy is one of another journal.', {
    hint: 'Give a new file; this one was left as it is.',
    cause,
  });
}

/** The error for an entry of another journal that does not go on where a copy ends. */
export function copyError(seq: number, lastSeq: number): MlogError {
  return new MlogError('conflict', `Entry ${seq} does not follow entry ${lastSeq}.`, {
    hint: 'The copy is one of another journal. Copy into a new file.',
  });
}
