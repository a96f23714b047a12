import { setTimeout as sleep } from 'node:timers/promises';
import { toMlogError, type MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import type { Head, Journal } from './journal.ts';
import type { Place } from './place.ts';
import { checkNoGap } from './whole.ts';

/** How a reader goes on where its reading broke off. */
export interface ResumeOptions {
  /** What is asked, before each attempt, whether it is still the same journal. */
  readonly journal: Pick<Journal, 'head' | 'read'>;
  /** Where it stood a moment ago, where that is known: then the first attempt need not ask. */
  readonly head?: Head;
  /** Opens the pages behind the place; when they come to their end, the reading is over. */
  readonly open: (head: Head) => AsyncIterable<readonly Entry[]>;
  readonly pauseMs: number;
  /** So many attempts may fail one behind the other, bringing nothing; no limit if not said. */
  readonly attemptsMax?: number;
  /** Once aborted, the pages come to an end. */
  readonly signal?: AbortSignal;
  /** Hears why the reading broke off, once until it goes on. */
  readonly onOutage?: (error: MlogError) => void;
  /** Hears that the journal is there again. */
  readonly onReturn?: () => void;
}

/**
 * Reads from a place on, and resumes there what breaks off, until it comes to its end: the one way
 * in which a tail, a replica and the commands get over a service that is away for a while. The place
 * moves with each page that was taken. Throws what another attempt does not mend: above all `gone`,
 * where what is there now is not the journal that was read.
 */
export async function* resumed(place: Place, options: ResumeOptions): AsyncGenerator<Page> {
  const { journal, open, pauseMs, attemptsMax = Infinity, signal, onOutage, onReturn } = options;
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
      if (!error.retryable || failures >= attemptsMax) throw error;
      if (!isOut && !signal?.aborted) onOutage?.(error);
      isOut = true;
    }
    await sleep(pauseMs, undefined, signal && { signal }).catch(() => {});
  }
}

type Page = readonly Entry[];
