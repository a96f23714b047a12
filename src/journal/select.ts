import { setTimeout as sleep } from 'node:timers/promises';
import { addDetails, MlogError, toMlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import { checkJournal, checkSeen, goneError } from './gone.ts';
import type { Head, Journal } from './journal.ts';
import { wholePages, type Span } from './whole.ts';

/** Which part of a journal to list. An empty selection is all of it. */
export interface Selection {
  /** Only entries after this `seq`. */
  readonly after?: number | undefined;
  /** At most this many, the first ones. */
  readonly limit?: number | undefined;
  /** At most this many, the last ones; not together with `limit`. */
  readonly last?: number | undefined;
  /** The id of the journal to list from. */
  readonly journal?: string | undefined;
}

/** The selected entries, and the range of the journal at that moment. */
export interface Selected {
  readonly head: Head;
  readonly pages: AsyncIterable<readonly Entry[]>;
}

/**
 * Returns the last `seq` of the original of a copy. A position beyond the end of the copy is valid
 * if the original has reached it.
 */
export type Furthest = () => Promise<number>;

/**
 * Selects entries up to the newest one at this moment, so that the list ends. Throws `gone` if
 * entries after `after` were removed, if the journal never reached `after`, and if its id differs.
 */
export async function selectEntries(
  journal: Journal,
  selection: Selection,
  furthest?: Furthest,
): Promise<Selected> {
  const { head, span } = await selectSpan(journal, selection, furthest);
  const { after, to } = span;
  const pages = journal.read({ after, limit: Math.max(0, to - after), journal: head.journal });
  return { head, pages: wholePages(pages, span) };
}

/** Returns the span of a selection in a journal with this head. */
export function spanOf({ firstSeq, lastSeq }: Head, { after, limit, last }: Selection): Span {
  const from = Math.max(after ?? firstSeq - 1, lastSeq - (last ?? Infinity));
  return { after: from, to: Math.min(lastSeq, from + (limit ?? Infinity)) };
}

/** The selected entries, followed by new ones. */
export interface SelectedLive {
  /** The range of the journal; undefined if its service is away. */
  readonly head: Head | undefined;
  readonly follow: (signal: AbortSignal) => AsyncIterable<readonly Entry[]>;
}

/**
 * Selects entries like `selectEntries`, followed by new ones, up to `limit`. If the service of the
 * journal is away, the entries begin when it is back.
 */
export async function selectLive(
  journal: Journal,
  selection: Selection,
  furthest?: Furthest,
): Promise<SelectedLive> {
  const { limit = Infinity } = selection;
  const select = () => selectSpan(journal, selection, furthest);
  const begun = await select().catch(undefinedIfAway);
  async function* follow(signal: AbortSignal): AsyncGenerator<readonly Entry[]> {
    let selected = begun;
    while (!selected) {
      await sleep(reconnectMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      selected = await select().catch(undefinedIfAway);
    }
    const { head, span } = selected;
    const range = { after: span.after, signal, journal: head.journal };
    yield* takeFirst(journal.follow(range), limit);
  }
  return { head: begun?.head, follow };
}

/** The pause before a service that is away is asked again. */
const reconnectMs = 500;

function undefinedIfAway(error: unknown): undefined {
  if (!toMlogError(error).retryable) throw error;
}

async function selectSpan(
  journal: Journal,
  selection: Selection,
  furthest?: Furthest,
): Promise<{ head: Head; span: Span }> {
  const { after = -1, limit, last } = selection;
  if (limit !== undefined && last !== undefined) {
    throw new MlogError('invalid_argument', 'The query has both limit and last.', {
      hint: 'limit selects the first entries, last the last ones.',
    });
  }
  const head = await journal.head();
  try {
    checkJournal(selection.journal, head.journal);
    // A reader that names a position has everything up to it and must not miss the next entry. The
    // next one is missing if it was removed, or if the position is from another journal.
    if (after >= 0 && after < head.firstSeq - 1) throw goneError(after, head.firstSeq);
    if (after > head.lastSeq) {
      checkSeen(after, furthest ? { ...head, lastSeq: await furthest() } : head);
    }
  } catch (error) {
    throw addDetails(error, { ...head });
  }
  return { head, span: spanOf(head, selection) };
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
