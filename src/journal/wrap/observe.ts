import type { Journal } from '../journal.ts';
import type { Observer } from '../observer.ts';
import { verbsOf } from '../verbs.ts';

/** Reports every answered append to an observer. */
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
