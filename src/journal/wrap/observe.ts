import type { Journal } from '../journal.ts';
import type { Observer } from '../observer.ts';
import { verbsOf } from '../verbs.ts';

/** Lets an observer hear of every append that the journal has answered. */
export function withObserver(journal: Journal, { onAppend }: Observer): Journal {
  return {
    ...verbsOf(journal),
    async append(messages) {
      const results = await journal.append(messages);
      onAppend?.(results, messages);
      return results;
    },
  };
}
