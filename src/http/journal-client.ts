import { MlogError } from '../errors.ts';
import { createGate } from '../journal/gate.ts';
import type { Journal } from '../journal/journal.ts';
import type { HttpClient } from './client.ts';
import { createFormJournal } from './form-client.ts';
import { createNdjsonJournal } from './ndjson-client.ts';

/**
 * Gives the journal of the logging service behind a client, mlog or reference, and finds out which
 * by itself: only mlog answers `/livez` with its name. What was found holds until a call fails,
 * for the service may be another one when it comes back.
 */
export function createHttpJournal(client: HttpClient): Journal {
  const dialects = { mlog: createNdjsonJournal(client), reference: createFormJournal(client) };
  const gate = createGate();
  const closing = new AbortController();
  let found: Promise<Journal> | undefined;

  async function ask(): Promise<Journal> {
    const reply = await client.exchange({ method: 'GET', path: '/livez' });
    // A service that is unwell says nothing about which one it is.
    if (reply.status >= 500) {
      throw new MlogError('unavailable', `The service at ${client.url} answered ${reply.status}.`);
    }
    const role = reply.header('mlog-role');
    if (role !== '' && role !== 'logging') {
      throw new MlogError('unavailable', `At ${client.url} is a ${role} service, not logging.`, {
        hint: 'Point --logging to the logging service.',
      });
    }
    return role ? dialects.mlog : dialects.reference;
  }

  async function withDialect<T>(action: (journal: Journal) => Promise<T>): Promise<T> {
    found ??= ask();
    try {
      return await action(await found);
    } catch (error) {
      found = undefined;
      throw error;
    }
  }

  return {
    append: (messages) => gate.pass(() => withDialect((journal) => journal.append(messages))),
    async *read(range) {
      gate.check();
      const journal = await withDialect((dialect) => Promise.resolve(dialect));
      yield* journal.read(range);
    },
    async *follow({ after, signal }) {
      gate.check();
      const journal = await withDialect((dialect) => Promise.resolve(dialect));
      try {
        yield* journal.follow({ after, signal: AbortSignal.any([signal, closing.signal]) });
      } finally {
        // What broke off may come back as another service.
        found = undefined;
      }
    },
    get: (id) => gate.pass(() => withDialect((journal) => journal.get(id))),
    head: () => gate.pass(() => withDialect((journal) => journal.head())),
    async close() {
      await gate.close();
      // The client waits for every reply under way, and those to followers have no end.
      closing.abort();
      await client.close();
    },
  };
}
