import { addDetails, MlogError } from '../../errors.ts';
import { conflictError } from '../../journal/conflict.ts';
import type { AppendResult, Journal } from '../../journal/journal.ts';
import type { Subject } from '../../ops/facts.ts';
import { createId, parseMessage, type Entry, type Message, type TextLimit } from '../../message.ts';

/** What the logging role does, over either wire. */
export interface LoggingService {
  /** Checks what a client sent, and makes an id if it has none. Throws a refusal. */
  parse(fields: { readonly id?: unknown; readonly txt?: unknown }): Message;
  /** Stores one message and returns its outcome. */
  log(message: Message): Promise<AppendResult>;
  /** Stores one message and returns its entry. Throws `conflict` if the id has another text. */
  logEntry(message: Message): Promise<Entry & Pick<AppendResult, 'status'>>;
  /** Stores messages together. */
  logAll(messages: readonly Message[]): Promise<AppendResult[]>;
}

/** Returns the subject of health checks of the logging role: whether its store can be read. */
export function loggingSubject(journal: Journal): Subject {
  const head = () => journal.head();
  return { role: 'logging', checks: { store: head }, head };
}

/** Returns the service over a journal. */
export function createLoggingService(journal: Journal, limit: TextLimit): LoggingService {
  // Not an async function, which would add promises for each message.
  function log(message: Message): Promise<AppendResult> {
    return journal.append([message]).then(
      ([result]) => result!,
      (error: unknown) => {
        throw addDetails(error, { id: message.id });
      },
    );
  }

  return {
    parse: ({ id, txt }) => parseMessage(id === undefined ? createId() : id, txt, limit),
    log,
    async logEntry(message) {
      const result = await log(message);
      if (result.status === 'conflict') throw conflictError(result);
      const entry = await journal.get(message.id);
      if (!entry) throw new MlogError('not_found', 'The message is no longer kept.');
      return { ...entry, status: result.status };
    },
    logAll: (messages) => journal.append(messages),
  };
}
