import { setTimeout as sleep } from 'node:timers/promises';
import { addDetails, MlogError, toMlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import { checkJournal, checkSeen, goneError } from './gone.ts';
import type { Head, Journal } from './journal.ts';
import { wholePages, type Span } from './whole.ts';

/** Which part of a journal somebody asks for; nothing asked is all of it. */
export interface Selection {
  /** Only entries behind this `seq`. */
  readonly after?: number | undefined;
  /** At most so many, the first ones. */
  readonly limit?: number | undefined;
  /** At most so many, the last ones; not beside `limit`. */
  readonly last?: number | undefined;
  /** Only from the journal with this id. */
  readonly journal?: string | undefined;
}

/** The entries of a selection, and where the journal stood when it was made. */
export interface Selected {
  readonly head: Head;
  readonly pages: AsyncIterable<readonly Entry[]>;
}

/**
 * Tells up to which `seq` the journal goes of which the one at hand is a copy: a position beyond
 * the end of a copy that is behind is a position all the same.
 */
export type Furthest = () => Promise<number>;

/**
 * Selects entries up to the newest one of this moment, so that the answer has an end. Throws `gone`
 * where entries behind `after` were removed, and where the journal never had an entry `after` or has
 * another id.
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

/** Tells which entries a selection comes to in a journal that stands there. */
export function spanOf({ firstSeq, lastSeq }: Head, { after, limit, last }: Selection): Span {
  const from = Math.max(after ?? firstSeq - 1, lastSeq - (last ?? Infinity));
  return { after: from, to: Math.min(lastSeq, from + (limit ?? Infinity)) };
}

/** Entries of a selection that goes on with those to come. */
export interface SelectedLive {
  /** Where the journal stood; undefined where the service that has it is away. */
  readonly head: Head | undefined;
  readonly follow: (signal: AbortSignal) => AsyncIterable<readonly Entry[]>;
}

/**
 * Selects entries as `selectEntries` does, and those that come later, up to `limit`. Where the
 * service that has the journal is away, the entries begin when it is there.
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

/** A service that is away is asked again after this. */
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
    throw new MlogError('invalid_argument', 'There are both limit and last.', {
      hint: 'limit takes the first entries, last the last ones.',
    });
  }
  const head = await journal.head();
  try {
    checkJournal(selection.journal, head.journal);
    // Whoever names a position has the entries before it, and must not miss the next one: neither
    // one that was removed, nor one that is not there yet, for the position is of another journal.
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
