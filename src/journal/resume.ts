import { setTimeout as sleep } from 'node:timers/promises';
import { toMlogError, type MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import type { Head, Journal } from './journal.ts';
import type { Place } from './place.ts';
import { checkNoGap } from './whole.ts';

/** How an interrupted read resumes. */
export interface ResumeOptions {
  /** The journal to check before each attempt: is it still the same? */
  readonly journal: Pick<Journal, 'head' | 'read'>;
  /** Its range, if that is known already. The first attempt then skips the check. */
  readonly head?: Head;
  /** Opens the pages after the place. The read is over when they end. */
  readonly open: (head: Head) => AsyncIterable<readonly Entry[]>;
  readonly pauseMs: number;
  /** How many attempts in a row may fail without a page; unlimited if unset. */
  readonly attemptsMax?: number;
  /** Says whether another attempt may succeed after an error. By default, its code tells. */
  readonly isPassing?: (error: MlogError) => boolean;
  /** Aborting it ends the pages. */
  readonly signal?: AbortSignal;
  /** Hears why the read was interrupted, once until it resumes. */
  readonly onOutage?: (error: MlogError) => void;
  /** Hears that the journal is back. */
  readonly onReturn?: () => void;
}

/**
 * Reads from a place on, and resumes there after an interruption, until the pages end. The tail, a
 * replica and the commands all survive a restart of their service this way. The place advances with
 * each page taken. Throws errors that another attempt cannot mend, above all `gone`, if the journal
 * is not the one that was read.
 */
export async function* resumed(place: Place, options: ResumeOptions): AsyncGenerator<Page> {
  const { journal, open, pauseMs, attemptsMax = Infinity, signal, onOutage, onReturn } = options;
  const { isPassing = ({ retryable }: MlogError) => retryable } = options;
  let known = options.head;
  let isOut = false;
  for (let failures = 0; !signal?.aborted;) {
    try {
      const head = known ?? (await place.confirm(journal));
      known = undefined;
      if (isOut && onReturn) {
        onReturn();
        isOut = false;
      }
      for await (const page of open(head)) {
        checkNoGap(place.seq, page);
        failures = 0;
        isOut = false;
        yield page;
        place.pass(page);
      }
      return;
    } catch (thrown) {
      const error = toMlogError(thrown);
      failures += 1;
      if (!isPassing(error) || failures >= attemptsMax) throw error;
      if (!isOut && !signal?.aborted) onOutage?.(error);
      isOut = true;
    }
    await sleep(pauseMs, undefined, signal && { signal }).catch(() => {});
  }
}

type Page = readonly Entry[];
