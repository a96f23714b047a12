import { EventEmitter, once } from 'node:events';
import { expect } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import type { Entry } from '../../src/message.ts';

/** A follower of a journal, and everything that it received. */
export interface Follower {
  /** In the order of arrival. */
  readonly entries: readonly Entry[];
  readonly seqs: () => number[];
  /** Resolves with the error that ended it, or with undefined at a normal end. */
  readonly ended: Promise<unknown>;
  /** Waits for this many entries. Throws if the follower ends before. */
  got(count: number): Promise<void>;
  /** Aborts the signal and waits for the end. */
  stop(): Promise<unknown>;
}

const waitTimeoutMs = 20_000;

/** Follows a journal from after a `seq`, and takes everything at once. */
export function startFollower(journal: Journal, after = 0): Follower {
  const stopping = new AbortController();
  const news = new EventEmitter().setMaxListeners(0);
  const entries: Entry[] = [];
  let hasEnded = false;

  async function follow(): Promise<unknown> {
    try {
      for await (const page of journal.follow({ after, signal: stopping.signal })) {
        expect(page.length).toBeGreaterThan(0);
        entries.push(...page);
        news.emit('news');
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      hasEnded = true;
      news.emit('news');
    }
  }

  const ended = follow();
  return {
    entries,
    seqs: () => entries.map(({ seq }) => seq),
    ended,
    async got(count) {
      const signal = AbortSignal.timeout(waitTimeoutMs);
      while (entries.length < count) {
        if (hasEnded) throw new Error(`It ended with ${entries.length}: ${String(await ended)}`);
        await once(news, 'news', { signal });
      }
    },
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

/** Returns the whole numbers of a range, both ends included. */
export function seqsFrom(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
