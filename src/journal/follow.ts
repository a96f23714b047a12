import type { FollowRange } from './journal.ts';
import type { Store } from './store.ts';
import { createNotice } from './notice.ts';

/** A store that reads and appends. */
export interface FollowableStore extends Omit<Store, 'follow'> {
  /** Reads what has just been appended, ahead of long reads; by default, as they do. */
  readonly readNew?: Store['read'];
}

/**
 * Gives a store its `follow`. Every append passes through here, so a follower that has read
 * everything waits for the next append. Each follower reads for itself; see `withTail`.
 */
export function withFollow(store: FollowableStore): Store {
  const notice = createNotice();
  const readNew = store.readNew?.bind(store) ?? store.read.bind(store);

  return {
    durability: store.durability,
    keeps: store.keeps,
    original: () => store.original(),
    read: (range) => store.read(range),
    get: (id) => store.get(id),
    head: () => store.head(),
    async append(messages) {
      const results = await store.append(messages);
      notice.give();
      return results;
    },
    async copy(entries, original) {
      await store.copy(entries, original);
      notice.give();
    },
    async *follow({ after, signal, journal }: FollowRange) {
      let position = after;
      while (!signal.aborted) {
        const seen = notice.count;
        for await (const page of readNew({ after: position, limit: Infinity, journal })) {
          yield page;
          if (signal.aborted) return;
          position = page.at(-1)!.seq;
        }
        await notice.wait(seen, signal);
      }
    },
    async close() {
      const closed = store.close();
      // A waiting follower reads once more and learns that the journal is closed.
      notice.give();
      await closed;
    },
  };
}
