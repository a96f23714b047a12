import { MlogError } from '../errors.ts';
import type { AppendResult } from './journal.ts';

/** Returns the error for a `conflict`. It names the stored entry but does not show its text. */
export function conflictError({ id, seq }: AppendResult): MlogError {
  return new MlogError('conflict', 'Another text is stored under this id; it was not changed.', {
    hint: 'Send this text with another id.',
    details: { id, ...(seq !== undefined && { seq }) },
  });
}
