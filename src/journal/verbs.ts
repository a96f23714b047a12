import type { Journal } from './journal.ts';

/**
 * Returns the verbs of a journal as a new object, of which a wrapper replaces some. Spreading the
 * journal would lose the verbs of a class: they are on its prototype and need `this`.
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
