import { isCallerRefused, MlogError, toMlogError } from '../../errors.ts';
import type { Entry } from '../../message.ts';
import { checkJournal } from '../../journal/gone.ts';
import type { Head, Journal } from '../../journal/journal.ts';
import type { Store } from '../../journal/store.ts';
import { endOfCopy } from '../../journal/place.ts';
import { resumed } from '../../journal/resume.ts';
import type { Logger } from '../../observe/logger.ts';
import { createDiagnostics } from '../../ops/diagnostics.ts';
import { verbsOf } from '../../journal/verbs.ts';

/** A copy of another journal that follows it. */
export interface Replica {
  /**
   * Returns how many messages of the original, as of its last answer, are missing here; undefined
   * if it has never answered or the replica has given up.
   */
  lag(): Promise<number | undefined>;
  /** Asks the original for its last `seq`. Returns infinity if it does not answer. */
  furthest(): Promise<number>;
  /**
   * Throws the reason if the replica does not follow: it has not reached its original since its
   * start, or it has given up.
   */
  check(): Promise<void>;
  /** Stops following. Store and original stay open. */
  close(): Promise<void>;
}

/** The pause before a lost original is followed again. */
const reconnectMs = 1_000;

/** How often the original is asked for its last `seq`, to know the lag. */
const askMs = 1_000;

/**
 * Follows a journal into a store, from the end of the store, across outages. If it cannot continue,
 * because the store is a copy of another journal or retention has removed the next entry, it logs
 * the reason, and the store stays as it is.
 */
export function startReplica(original: Journal, store: Store, logger: Logger): Replica {
  const stopping = new AbortController();
  const { signal } = stopping;
  let theirLastSeq: number | undefined;
  let failure: MlogError | undefined = unreachedError();

  async function follow(): Promise<void> {
    const place = await endOfCopy(store);
    async function* open({ journal }: Head): AsyncGenerator<readonly Entry[]> {
      // Records the original even if its journal is still empty.
      await store.copy([], journal);
      failure = undefined;
      const range = { after: place.seq, journal };
      logger.info(range, 'Following');
      for await (const page of original.follow({ ...range, signal })) {
        await store.copy(page, journal);
        yield page;
      }
      if (!signal.aborted) throw new MlogError('unavailable', 'The original has stopped.');
    }
    const pace = { pauseMs: reconnectMs, signal };
    const { onOutage } = createDiagnostics(logger);
    const options = { journal: original, open, ...pace, isPassing, onOutage: noteOutage };
    function noteOutage(error: MlogError): void {
      // Before the first contact, the latest reason tells more than that there was none.
      if (failure && !error.retryable) failure = error;
      onOutage?.(error);
    }
    for await (const _ of resumed(place, options));
  }

  async function followOrTell(): Promise<void> {
    try {
      await follow();
    } catch (thrown) {
      failure = toMlogError(thrown);
      const { code, message, hint } = failure;
      if (signal.aborted) return;
      logger.error({ code }, `The replica cannot continue: ${message} ${hint ?? ''}`.trim());
    }
  }

  async function ask(): Promise<number | undefined> {
    const head = await original.head().catch(() => undefined);
    if (head) theirLastSeq = Math.max(theirLastSeq ?? 0, head.lastSeq);
    return head?.lastSeq;
  }

  const following = followOrTell();
  void ask();
  const asking = setInterval(ask, askMs).unref();
  return {
    async lag() {
      const { lastSeq } = await store.head();
      if (failure || theirLastSeq === undefined) return undefined;
      return Math.max(0, theirLastSeq - lastSeq);
    },
    furthest: async () => (await ask()) ?? Infinity,
    async check() {
      if (failure) throw failure;
    },
    async close() {
      clearInterval(asking);
      stopping.abort();
      await following;
    },
  };
}

/**
 * A replica outlasts a token or a certificate that does not hold, since either may be changed while
 * it runs.
 */
function isPassing(error: MlogError): boolean {
  return error.retryable || error.code === 'untrusted' || isCallerRefused(error);
}

function unreachedError(): MlogError {
  return new MlogError('unavailable', 'The original has not been reached yet.', {
    hint: 'Is it running, and is --follow its address?',
  });
}

/**
 * Presents a copy as its original, under the original's id: a position in one is a position in the
 * other. Throws `unavailable` until it is known what it is a copy of.
 */
export function asOriginal(copy: Store, tailed: Journal, replica: Replica): Journal {
  const originalId = async () => (await copy.original()) ?? '';
  return {
    ...verbsOf(tailed),
    async head() {
      const [journal, head] = [await originalId(), await tailed.head()];
      const isBlank = journal === '' && head.lastSeq < head.firstSeq;
      if (isBlank) await replica.check();
      return { ...head, journal };
    },
    async *read({ journal, ...range }) {
      checkJournal(journal, await originalId());
      yield* tailed.read(range);
    },
    async *follow({ journal, ...range }) {
      checkJournal(journal, await originalId());
      yield* tailed.follow(range);
    },
  };
}
