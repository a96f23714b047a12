import { addDetails, MlogError } from '../../errors.ts';
import { conflictError } from '../../journal/conflict.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import { createId, parseId, parseMessage, type Message, type TextLimit } from '../../message.ts';

/** A message that was sent, and whether its id had it before. */
export interface Sent extends Message {
  readonly isRepeat: boolean;
}

/** What the facade does: give messages an id and hand them on. */
export interface FacadeService {
  /** Checks what a client sent and makes an id where it gave none. Throws a refusal. */
  parse(fields: { readonly id?: unknown; readonly txt?: unknown }, key?: string): Message;
  /** Hands one message on. Throws `conflict` where its id has another text; errors tell the id. */
  send(message: Message): Promise<Sent>;
  /** Hands messages on together, and tells what became of each. */
  sendAll(messages: readonly Message[]): Promise<AppendResult[]>;
}

/** Makes the service over the journal of the logging service. */
export function createFacadeService(journal: Journal, limit: TextLimit): FacadeService {
  return {
    parse({ id, txt }, key) {
      if (key !== undefined && id !== undefined && parseId(id) !== parseId(key)) {
        throw new MlogError('invalid_argument', 'The Idempotency-Key and the id differ.', {
          hint: 'Give one of them, or the same in both.',
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
          // With the id its reader can send the message again.
          throw addDetails(error, { id });
        },
      );
    },
    sendAll: (messages) => journal.append(messages),
  };
}
