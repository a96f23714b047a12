import { MlogError, toMlogError } from '../errors.ts';
import type { AppendResult, Journal } from '../journal/journal.ts';
import type { Message } from '../message.ts';
import { decodeLogReply, decodeTexts, encodeLogRequest } from './append-messages.ts';
import { readReply, strangeError, type GrpcClient } from './client.ts';
import { empty } from './read-messages.ts';

/** A journal that can also list the texts alone, as the reference does. */
export interface GrpcJournal extends Journal {
  /** Gives all texts in order, in one reply. */
  texts(): Promise<string[]>;
}

/**
 * The journal of a reference logging service, which knows only LogMessage and GetMessages: one
 * message a call, no numbers, no entries. The messages of an append go one behind the other, since
 * calls that are under way together may be kept in any order.
 */
export function createReferenceJournal(client: GrpcClient): GrpcJournal {
  async function appendOne(message: Message): Promise<AppendResult> {
    const { id } = message;
    try {
      const bytes = await client.call('/LoggingService/LogMessage', encodeLogRequest(message));
      const status = readReply(decodeLogReply, bytes, client.url);
      if (status === 'Logged') return { id, status: 'logged' };
      // The second attempt of a message whose first reply was lost: it is stored, that is success.
      if (status === 'Duplicate') return { id, status: 'duplicate' };
    } catch (error) {
      const { code, message: said } = toMlogError(error);
      if (code === 'conflict') return { id, status: 'conflict' };
      if (code === 'unimplemented') throw new MlogError('unavailable', said, { cause: error });
      throw error;
    }
    throw strangeError(client.url);
  }

  return {
    async append(messages) {
      const results: AppendResult[] = [];
      for (const message of messages) results.push(await appendOne(message));
      return results;
    },
    // eslint-disable-next-line require-yield
    async *read() {
      throw unimplementedError(client.url);
    },
    // eslint-disable-next-line require-yield
    async *follow() {
      throw unimplementedError(client.url);
    },
    get: () => Promise.reject(unimplementedError(client.url)),
    head: () => Promise.reject(unimplementedError(client.url)),
    async texts() {
      const bytes = await client.call('/LoggingService/GetMessages', empty);
      return readReply(decodeTexts, bytes, client.url);
    },
    async close() {
      client.close();
    },
  };
}

function unimplementedError(url: string): MlogError {
  return new MlogError(
    'unimplemented',
    `The logging service at ${url} lists texts and no entries.`,
    { hint: 'Ask for the list alone, or put `mlog serve logging` in its place.' },
  );
}
