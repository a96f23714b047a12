import type { Journal } from './journal.ts';

/**
 * Returns the verbs of a journal as an object of their own, for a wrapper to replace some of them. A
 * spread of the journal would lose those of a class, which stand on its prototype and need `this`.
 */
export function verbsOf(journal: Journal): Journal {
  return {
    append: (messages) => journal.append(messages),
    takesMany: () => journal.takesMany?.() ?? true,
    read: (range) => journal.read(range),
    follow: (range) => journal.follow(range),
    get: (id) => journal.get(id),
    head: () => journal.head(),
    close: () => journal.close(),
  };
}
