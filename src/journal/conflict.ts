import { MlogError } from '../errors.ts';
import type { AppendResult } from './journal.ts';

/** The error for a `conflict`: it names the entry that is there, and does not tell its text. */
export function conflictError({ id, seq }: AppendResult): MlogError {
  return new MlogError('conflict', 'Another text is kept under this id; it was left as it is.', {
    hint: 'Send this text under an id of its own.',
    details: { id, ...(seq !== undefined && { seq }) },
  });
}
