import { MlogError } from '../errors.ts';
import { createFoundJournal } from '../journal/found.ts';
import type { Journal } from '../journal/journal.ts';
import type { HttpClient } from './client.ts';
import { createFormJournal } from './form-client.ts';
import { createNdjsonJournal } from './ndjson-client.ts';

/**
 * Gives the journal of the logging service behind a client, mlog or reference, and finds out which
 * by itself: only mlog answers `/livez` with its name.
 */
export function createHttpJournal(client: HttpClient): Journal {
  const dialects = { mlog: createNdjsonJournal(client), reference: createFormJournal(client) };

  async function find(): Promise<Journal> {
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

  return createFoundJournal(find, () => client.close());
}
