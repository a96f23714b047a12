import { MlogError } from '../../errors.ts';
import type { Message } from '../../message.ts';
import type { AppendResult, Journal } from '../journal.ts';

/** How to reach a logging service of the reference. */
export interface ReferenceOptions {
  readonly url: string;
  readonly appendOne: (message: Message) => Promise<AppendResult>;
  readonly close: () => Promise<void>;
}

/**
 * Returns the journal of a logging service of the reference, over either wire. It takes one message
 * at a time, and lists texts but no entries. An append sends its messages one after the other,
 * because the service may store concurrent ones in any order.
 */
export function createReferenceJournal({ url, appendOne, close }: ReferenceOptions): Journal {
  return {
    async append(messages) {
      const results: AppendResult[] = [];
      for (const message of messages) results.push(await appendOne(message));
      return results;
    },
    takesMany: () => false,
    // eslint-disable-next-line require-yield
    async *read() {
      throw unimplementedError(url);
    },
    // eslint-disable-next-line require-yield
    async *follow() {
      throw unimplementedError(url);
    },
    get: () => Promise.reject(unimplementedError(url)),
    head: () => Promise.reject(unimplementedError(url)),
    close,
  };
}

function unimplementedError(url: string): MlogError {
  return new MlogError(
    'unimplemented',
    `The logging service at ${url} lists texts but no entries.`,
    { hint: 'Request the plain list, or run `mlog serve logging` in its place.' },
  );
}
