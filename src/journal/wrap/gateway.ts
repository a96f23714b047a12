import { asGatewayError } from '../../errors.ts';
import type { Journal } from '../journal.ts';
import { verbsOf } from '../verbs.ts';

/**
 * Converts what the remote service says about its caller, such as that it does not know its token:
 * the caller is this service, and its own clients can do nothing about it.
 */
export function withGateway(journal: Journal): Journal {
  return {
    ...verbsOf(journal),
    append: (messages) => journal.append(messages).catch(failAsGateway),
    takesMany() {
      const answer = journal.takesMany?.() ?? true;
      return typeof answer === 'boolean' ? answer : answer.catch(failAsGateway);
    },
    get: (id) => journal.get(id).catch(failAsGateway),
    head: () => journal.head().catch(failAsGateway),
    read: (range) => reading(journal.read(range)),
    follow: (range) => reading(journal.follow(range)),
  };
}

async function* reading<T>(pages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* pages;
  } catch (error) {
    throw asGatewayError(error);
  }
}

/** Throws an error as this service tells it. */
export function failAsGateway(error: unknown): never {
  throw asGatewayError(error);
}
