import { MlogError, toMlogError } from '../../errors.ts';
import type { Entry } from '../../message.ts';
import { checkJournal } from '../../journal/gone.ts';
import type { Head, Journal } from '../../journal/journal.ts';
import type { Store } from '../../journal/store.ts';
import { endOfCopy } from '../../journal/place.ts';
import { resumed } from '../../journal/resume.ts';
import type { Logger } from '../../observe/logger.ts';
import { createDiagnostics } from '../../ops/diagnostics.ts';
import { verbsOf } from '../../journal/verbs.ts';

/** A copy of another journal that goes on growing as that one does. */
export interface Replica {
  /**
   * How many messages the other journal had, when it was last heard of, that are not here yet;
   * undefined as long as it never was, and where the replica has given up.
   */
  lag(): Promise<number | undefined>;
  /** Asks the other journal how far it goes; tells infinity where it does not answer. */
  furthest(): Promise<number>;
  /**
   * Throws why the replica does not follow: it has not reached its original since it was started,
   * or it has given up.
   */
  check(): Promise<void>;
  /** Ends the following; store and original stay open. */
  close(): Promise<void>;
}

/** What one follows may be gone for a while. */
const reconnectMs = 1_000;

/** How often the other journal is asked where it stands, to know how far behind one is. */
const askMs = 1_000;

/**
 * Follows a journal into a store, from where the store stands, whatever breaks off on the way. Where
 * it cannot go on, since the store is a copy of another journal or what comes next was removed by
 * retention, it says so in the diagnostics, and the store stays as it is.
 */
export function startReplica(original: Journal, store: Store, logger: Logger): Replica {
  const stopping = new AbortController();
  const { signal } = stopping;
  let theirLastSeq: number | undefined;
  let failure: MlogError | undefined = unreachedError();

  async function follow(): Promise<void> {
    const place = await endOfCopy(store);
    async function* open({ journal }: Head): AsyncGenerator<readonly Entry[]> {
      // The original is recorded at once: with a journal that is still empty, too.
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
    const options = { journal: original, open, ...pace, ...createDiagnostics(logger) };
    for await (const _ of resumed(place, options));
  }

  async function followOrTell(): Promise<void> {
    try {
      await follow();
    } catch (thrown) {
      failure = toMlogError(thrown);
      const { code, message, hint } = failure;
      if (signal.aborted) return;
      logger.error({ code }, `The replica cannot go on: ${message} ${hint ?? ''}`.trim());
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

function unreachedError(): MlogError {
  return new MlogError('unavailable', 'The original was not reached yet.', {
    hint: 'Is it started, and does --follow name its address?',
  });
}

/**
 * Shows a copy as its original, under the id of that one: a position in one is a position in the
 * other. Throws `unavailable` as long as it is not known what it is a copy of.
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
