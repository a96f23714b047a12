import { MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import { goneError } from './gone.ts';
import type { Head, Journal } from './journal.ts';

/** Which part of a journal somebody asks for; nothing asked is all of it. */
export interface Selection {
  /** Only entries behind this `seq`. */
  readonly after?: number | undefined;
  /** At most so many, the first ones. */
  readonly limit?: number | undefined;
  /** At most so many, the last ones; not beside `limit`. */
  readonly last?: number | undefined;
}

/** The entries of a selection, and where the journal stood when it was made. */
export interface Selected {
  readonly head: Head;
  readonly pages: AsyncIterable<readonly Entry[]>;
}

/**
 * Selects entries up to the newest one of this moment, so that the answer has an end. Throws `gone`
 * where entries behind `after` were removed.
 */
export async function selectEntries(journal: Journal, selection: Selection): Promise<Selected> {
  const { head, from } = await selectStart(journal, selection);
  const limit = Math.min(selection.limit ?? Infinity, head.lastSeq - from);
  return { head, pages: journal.read({ after: from, limit: Math.max(0, limit) }) };
}

/** Entries of a selection that goes on with those to come. */
export interface SelectedLive {
  readonly head: Head;
  readonly follow: (signal: AbortSignal) => AsyncIterable<readonly Entry[]>;
}

/** Selects entries as `selectEntries` does, and those that come later, up to `limit`. */
export async function selectLive(journal: Journal, selection: Selection): Promise<SelectedLive> {
  const { head, from } = await selectStart(journal, selection);
  const { limit = Infinity } = selection;
  return { head, follow: (signal) => takeFirst(journal.follow({ after: from, signal }), limit) };
}

async function selectStart(
  journal: Journal,
  { after, limit, last }: Selection,
): Promise<{ head: Head; from: number }> {
  if (limit !== undefined && last !== undefined) {
    throw new MlogError('invalid_argument', 'There are both limit and last.', {
      hint: 'limit takes the first entries, last the last ones.',
    });
  }
  const head = await journal.head();
  const oldest = head.firstSeq - 1;
  // Whoever names a position has the entries before it, and must not miss the next one.
  if (after !== undefined && after < oldest) throw goneError(after, head.firstSeq);
  return { head, from: Math.max(after ?? oldest, head.lastSeq - (last ?? Infinity)) };
}

async function* takeFirst(
  pages: AsyncIterable<readonly Entry[]>,
  limit: number,
): AsyncGenerator<readonly Entry[]> {
  let left = limit;
  if (left === 0) return;
  for await (const page of pages) {
    yield page.slice(0, left);
    left -= page.length;
    if (left <= 0) return;
  }
}
