import type { HttpAddress } from '../../address.ts';
import { MlogError } from '../../errors.ts';
import type { TextStream } from '../../journal/texts.ts';
import type { Reach } from '../../net/reach.ts';
import { mediaTypes } from '../formats.ts';
import { openHttpClient, type HttpClient } from './client.ts';
import { headError, isRedirect, statusError } from './problem.ts';
import { wholeJson } from './whole-json.ts';

/** What a facade asks of each service behind it. */
export interface HttpService {
  /** Opens the plain list of the service, unchanged. */
  readonly list: () => Promise<TextStream>;
  /** Throws the reason if the service cannot do its part. */
  readonly check: () => Promise<void>;
}

/** Opens the messages service at an address. It connects on first use. */
export function openHttpMessages(
  address: HttpAddress,
  reach: Reach,
): HttpService & { close(): Promise<void> } {
  const client = openHttpClient(address, reach);
  return { ...createHttpService(client, 'messages'), close: () => client.close() };
}

/** Returns the service of a role behind a client. */
export function createHttpService(client: HttpClient, role: 'logging' | 'messages'): HttpService {
  return {
    async list() {
      const stream = await client.stream({ method: 'GET', path: `/${role}` });
      const isJson = stream.header('content-type').startsWith(mediaTypes.json);
      if (stream.status === 200) {
        return isJson ? { ...stream, chunks: wholeJson(stream.chunks, client.url) } : stream;
      }
      stream.cancel();
      throw statusError(stream);
    },
    async check() {
      const reply = await client.exchange({ method: 'GET', path: '/readyz' });
      if (reply.status >= 500 || isRedirect(reply)) throw statusError(reply);
      const named = reply.header('mlog-role');
      if (named !== '' && named !== role) {
        throw new MlogError('bad_gateway', `At ${client.url} is a ${named} service, not ${role}.`);
      }
      if (named !== '') return;
      // The reference has no health page. It is ready if its list is there.
      const list = await client.exchange({ method: 'HEAD', path: `/${role}` });
      const isThere = list.status < 400 || list.status === 405;
      if (!isThere || isRedirect(list)) throw await headError(client, `/${role}`, list);
    },
  };
}
