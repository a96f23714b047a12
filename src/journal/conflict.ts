import { MlogError } from '../errors.ts';
import type { AppendResult } from './journal.ts';

/** Returns the error for a `conflict`. It names the stored entry but does not show its text. */
export function conflictError({ id, seq }: AppendResult): MlogError {
  return new MlogError('conflict', 'Another text is kept under this id; it was left as it is.', {
    hint: 'Send this text under an id of its own.',
    details: { id, ...(seq !== undefined && { seq }) },
  });
}
