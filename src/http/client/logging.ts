import { isCallerRefused } from '../../errors.ts';
import type { HttpAddress } from '../../address.ts';
import type { Journal } from '../../journal/journal.ts';
import { createDetectedJournal } from '../../journal/remote/detected.ts';
import type { RemoteLogging } from '../../journal/remote/logging.ts';
import { notLoggingError } from '../../journal/remote/remote-errors.ts';
import type { Reach } from '../../net/reach.ts';
import { openHttpClient, type HttpClient } from './client.ts';
import { createFormJournal } from './form.ts';
import { createNdjsonJournal } from './ndjson.ts';
import { headError, isRedirect, statusError } from './problem.ts';
import { createHttpService } from './service.ts';

/** Opens the logging service at an address, mlog or the reference. It connects on first use. */
export function openHttpLogging(address: HttpAddress, reach: Reach): RemoteLogging {
  const client = openHttpClient(address, reach);
  return {
    journal: createHttpJournal(client),
    ...createHttpService(client, 'logging'),
    tellsStatus: false,
  };
}

/**
 * Returns the journal of the logging service behind a client. On first use it asks which dialect
 * the service speaks: only mlog answers `/livez` with its role, and both have a list at `/logging`.
 */
function createHttpJournal(client: HttpClient): Journal {
  const dialects = {
    mlog: createNdjsonJournal(client, '/logging'),
    reference: createFormJournal(client),
  };

  async function detect(): Promise<Journal> {
    const reply = await client.exchange({ method: 'GET', path: '/livez' });
    // A failing service does not tell which one it is.
    if (reply.status >= 500 || isRedirect(reply)) throw statusError(reply);
    const role = reply.header('mlog-role');
    if (role !== '' && role !== 'logging') {
      throw notLoggingError(`At ${client.url} is a ${role} service, not logging.`);
    }
    if (role) return dialects.mlog;
    const list = await client.exchange({ method: 'HEAD', path: '/logging' });
    // The reference refuses no caller.
    if (isCallerRefused(statusError(list))) throw await headError(client, '/logging', list);
    if (list.status === 404) {
      throw notLoggingError(`The service at ${list.url} answered 404.`);
    }
    return dialects.reference;
  }

  return createDetectedJournal(detect, () => client.close());
}
