import { toMlogError } from '../../errors.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import { notLoggingError, unexpectedReplyError } from '../../journal/remote/remote-errors.ts';
import { createReferenceJournal } from '../../journal/remote/reference.ts';
import type { Message } from '../../message.ts';
import { decodeLogReply, decodeTexts, encodeLogRequest } from '../append-messages.ts';
import { readReply, type GrpcClient } from './client.ts';
import { empty } from '../read-messages.ts';

/** A journal that can also list the texts alone, like the reference. */
export interface GrpcJournal extends Journal {
  /** Returns all texts in order, in one reply. */
  texts(): Promise<string[]>;
}

/**
 * Returns the journal of a logging service of the reference, which has only LogMessage and
 * GetMessages: one message per call, no numbers, no entries.
 */
export function createCallJournal(client: GrpcClient): GrpcJournal {
  async function appendOne(message: Message): Promise<AppendResult> {
    const { id } = message;
    try {
      const bytes = await client.call('/LoggingService/LogMessage', encodeLogRequest(message));
      const status = readReply(decodeLogReply, bytes, client.url);
      if (status === 'Logged') return { id, status: 'logged' };
      // An attempt whose reply was lost has stored the message, so this is success.
      if (status === 'Duplicate') return { id, status: 'duplicate' };
    } catch (error) {
      const { code, message: said } = toMlogError(error);
      if (code === 'conflict') return { id, status: 'conflict' };
      if (code === 'unimplemented') throw notLoggingError(said, error);
      throw error;
    }
    throw unexpectedReplyError(client.url);
  }

  const close = () => Promise.resolve(client.close());
  return {
    ...createReferenceJournal({ url: client.url, appendOne, close }),
    async texts() {
      const bytes = await client.call('/LoggingService/GetMessages', empty);
      return readReply(decodeTexts, bytes, client.url);
    },
  };
}
