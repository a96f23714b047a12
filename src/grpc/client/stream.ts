import { toMlogError } from '../../errors.ts';
import type { Journal } from '../../journal/journal.ts';
import { unexpectedReplyError } from '../../journal/remote/remote-errors.ts';
import type { Entry } from '../../message.ts';
import { createAppender } from './append-stream.ts';
import { readReply, type GrpcClient } from './client.ts';
import {
  decodeEntry,
  decodeHead,
  decodePage,
  empty,
  encodeGetRequest,
  encodeReadRequest,
  type ReadRequest,
} from '../read-messages.ts';

/**
 * Returns the journal of an mlog logging service. A group carries many messages, and entries arrive
 * in pages.
 */
export function createStreamJournal(client: GrpcClient): Journal {
  const appender = createAppender(client);

  async function* readPages(
    request: ReadRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly Entry[]> {
    const messages = client.read('/LoggingService/Read', encodeReadRequest(request), signal);
    for await (const bytes of messages) {
      const entries = readReply(decodePage, bytes, client.url);
      if (entries.length === 0 || !entries.every(isEntry)) throw unexpectedReplyError(client.url);
      yield entries;
    }
  }

  return {
    append: (messages) => appender.append(messages),
    async *read({ after, limit, journal }) {
      const request = { after, journal, ...(Number.isSafeInteger(limit) && { limit }) };
      if (limit > 0) yield* readPages(request);
    },
    follow: ({ after, journal, signal }) => readPages({ after, journal, follow: true }, signal),
    async get(id) {
      try {
        const bytes = await client.call('/LoggingService/Get', encodeGetRequest(id));
        const entry = readReply(decodeEntry, bytes, client.url);
        if (!isEntry(entry)) throw unexpectedReplyError(client.url);
        return entry;
      } catch (error) {
        if (toMlogError(error).code === 'not_found') return undefined;
        throw error;
      }
    },
    async head() {
      const bytes = await client.call('/LoggingService/GetHead', empty);
      return readReply(decodeHead, bytes, client.url);
    },
    async close() {
      appender.close();
      client.close();
    },
  };
}

function isEntry({ seq, id }: Entry): boolean {
  return seq > 0 && id !== '';
}
