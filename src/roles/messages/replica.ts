import { setTimeout as sleep } from 'node:timers/promises';
import { toMlogError, type MlogError } from '../../errors.ts';
import { findCopyEnd } from '../../journal/copy.ts';
import type { Journal, Store } from '../../journal/journal.ts';
import type { Logger } from '../../observe/logger.ts';

/** A copy of another journal that goes on growing as that one does. */
export interface Replica {
  /**
   * How many messages the other journal had, when it was last heard of, that are not here yet;
   * undefined as long as it never was, and where the replica has given up.
   */
  lag(): Promise<number | undefined>;
  /** Throws why the replica cannot go on, where it has given up. */
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
  let failure: MlogError | undefined;
  let told: string | undefined;

  async function followOnce(): Promise<void> {
    const from = await findCopyEnd(original, store);
    // The original is recorded at once: with a journal that is still empty, too.
    await store.copy([], from.journal);
    logger.info(from, 'Following');
    told = undefined;
    for await (const page of original.follow({ ...from, signal })) {
      await store.copy(page, from.journal);
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        await followOnce();
      } catch (thrown) {
        const error = toMlogError(thrown);
        const { code, message, hint, retryable } = error;
        if (!retryable && !signal.aborted) {
          logger.error({ code }, `The replica cannot go on: ${message} ${hint ?? ''}`.trim());
          failure = error;
          return;
        }
        // Once a reason, not once an attempt.
        if (told !== message) logger.warn({ code }, `Following broke off: ${message}`);
        told = message;
      }
      await sleep(reconnectMs, undefined, { signal }).catch(() => {});
    }
  }

  async function ask(): Promise<void> {
    const head = await original.head().catch(() => undefined);
    if (head) theirLastSeq = Math.max(theirLastSeq ?? 0, head.lastSeq);
  }

  const following = follow();
  void ask();
  const asking = setInterval(ask, askMs).unref();
  return {
    async lag() {
      const { lastSeq } = await store.head();
      if (failure || theirLastSeq === undefined) return undefined;
      return Math.max(0, theirLastSeq - lastSeq);
    },
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
