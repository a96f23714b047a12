import { addDetails, MlogError } from '../../errors.ts';
import { conflictError } from '../../journal/conflict.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import { createId, parseId, parseMessage, type Message, type TextLimit } from '../../message.ts';

/** A message that was sent, and whether it was stored before. */
export interface Sent extends Message {
  readonly isRepeat: boolean;
}

/** What the facade does: it gives messages an id and passes them on. */
export interface FacadeService {
  /** Checks what a client sent, and makes an id if it has none. Throws a refusal. */
  parse(fields: { readonly id?: unknown; readonly txt?: unknown }, key?: string): Message;
  /**
   * Passes on one message. Throws `conflict` if another text is stored under its id. Every error
   * tells the id.
   */
  send(message: Message): Promise<Sent>;
  /** Passes on messages together. Returns the outcome of each. */
  sendAll(messages: readonly Message[]): Promise<AppendResult[]>;
}

/** Returns the service over the journal of the logging service. */
export function createFacadeService(journal: Journal, limit: TextLimit): FacadeService {
  return {
    parse({ id, txt }, key) {
      if (key !== undefined && id !== undefined && parseId(id) !== parseId(key)) {
        throw new MlogError('invalid_argument', 'The Idempotency-Key and the id differ.', {
          hint: 'Give one of them, or give both the same value.',
        });
      }
      return parseMessage(id === undefined ? (key ?? createId()) : id, txt, limit);
    },
    send(message) {
      const { id, txt } = message;
      return journal.append([message]).then(
        ([result]) => {
          if (result?.status === 'conflict') throw conflictError(result);
          return { id, txt, isRepeat: result?.status === 'duplicate' };
        },
        (error: unknown) => {
          // With the id, the client can send the message again.
          throw addDetails(error, { id });
        },
      );
    },
    sendAll: (messages) => journal.append(messages),
  };
}
