import { MlogError } from '../../errors.ts';
import type { HttpClient } from '../../http/client/client.ts';
import { createNdjsonJournal } from '../../http/client/ndjson.ts';
import type { Head } from '../../journal/journal.ts';
import { resumed } from '../../journal/resume.ts';
import { spanOf } from '../../journal/select.ts';
import type { Entry } from '../../message.ts';
import type { EntryConsumer } from './printer.ts';
import type { ListRange } from './once.ts';
import { remark } from '../print.ts';

/** The pause before a lost facade is asked again. */
const reconnectMs = 1_000;

/**
 * Lists the present entries and then new ones, until the signal is aborted, the limit is reached,
 * or the consumer wants no more. After an outage of the facade it resumes at its position. Throws
 * if there is no facade at first, if retention has removed the next entry, or if the journal is
 * another one.
 */
export async function listAndFollow(
  client: HttpClient,
  { selection, place, onFound }: ListRange,
  consumer: EntryConsumer,
  signal: AbortSignal,
): Promise<void> {
  const journal = createNdjsonJournal(client, '/');
  const head = await journal.head();
  place.check(head);
  onFound();
  const { after, last } = selection;
  // Every request names the position, so that nothing is missed between two of them.
  place.seq = spanOf(head, { after, last }).after;
  let left = selection.limit ?? Infinity;
  if (left === 0) return;

  async function* open({ journal: id }: Head): AsyncGenerator<readonly Entry[]> {
    yield* journal.follow({ after: place.seq, signal, journal: id });
    if (!signal.aborted) throw new MlogError('unavailable', 'The facade has stopped.');
  }
  const options = {
    journal,
    head,
    open,
    pauseMs: reconnectMs,
    signal,
    onOutage: ({ message }: MlogError) => remark(`${message} Trying again.`),
    onReturn: () => remark('Connected again.'),
  };
  for await (const page of resumed(place, options)) {
    const some = page.slice(0, left);
    left -= some.length;
    if (!(await consumer.take(some, signal)) || left === 0 || signal.aborted) return;
  }
}
