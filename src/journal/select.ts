import type { Entry } from '../message.ts';
import type { Journal } from './journal.ts';

/** Which part of a journal somebody asks for; nothing asked is all of it. */
export interface Selection {
  /** Only entries behind this `seq`. */
  readonly after?: number | undefined;
  /** At most so many, the first ones. */
  readonly limit?: number | undefined;
  /** At most so many, the last ones. */
  readonly last?: number | undefined;
}

/** The entries of a selection, and where the journal stood when it was made. */
export interface Selected {
  readonly lastSeq: number;
  readonly pages: AsyncIterable<readonly Entry[]>;
}

/** Selects entries up to the newest one of this moment, so that the answer has an end. */
export async function selectEntries(
  journal: Journal,
  { after = 0, limit = Infinity, last = Infinity }: Selection,
): Promise<Selected> {
  const { lastSeq } = await journal.head();
  const from = Math.max(after, lastSeq - last, 0);
  return {
    lastSeq,
    pages: journal.read({ after: from, limit: Math.max(0, Math.min(limit, lastSeq - from)) }),
  };
}
