import { createGate } from './gate.ts';
import type { Journal } from './journal.ts';

/**
 * Gives the journal of a remote service of which it is found out, when it is first used, what it
 * speaks. What was found holds until a call fails or `find` has called `forget`, for the service may
 * be another one when it comes back. `release` closes what all that can be found stand on, once all
 * calls through the gate have come out.
 */
export function createFoundJournal(
  find: (forget: () => void) => Promise<Journal>,
  release: () => Promise<void>,
  gate = createGate(),
): Journal {
  const closing = new AbortController();
  let found: Promise<Journal> | undefined;

  function forget(): void {
    found = undefined;
  }

  async function withFound<T>(action: (journal: Journal) => Promise<T>): Promise<T> {
    found ??= find(forget);
    try {
      return await action(await found);
    } catch (error) {
      forget();
      throw error;
    }
  }

  return {
    append: (messages) => gate.pass(() => withFound((journal) => journal.append(messages))),
    async *read(range) {
      gate.check();
      const journal = await withFound((one) => Promise.resolve(one));
      yield* journal.read(range);
    },
    async *follow(range) {
      gate.check();
      const journal = await withFound((one) => Promise.resolve(one));
      try {
        const signal = AbortSignal.any([range.signal, closing.signal]);
        yield* journal.follow({ ...range, signal });
      } finally {
        // What broke off may come back as another service.
        forget();
      }
    },
    get: (id) => gate.pass(() => withFound((journal) => journal.get(id))),
    head: () => gate.pass(() => withFound((journal) => journal.head())),
    async close() {
      await gate.close();
      // The client below waits for every reply under way, and those to followers have no end.
      closing.abort();
      await release();
    },
  };
}
