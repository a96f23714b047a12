import { cutPage } from '../journal/cut.ts';
import type { Entry } from '../message.ts';
import { toEntryJson } from './formats.ts';
import { splitLines } from './lines.ts';

/** How a client that lost the stream comes back: after this, with its last position. */
const retryMs = 1_000;

/** How an endless reply of events is kept alive, and when it ends. */
export interface EventOptions {
  /** Nothing to tell for so long is told, by a comment. */
  readonly heartbeatMs: number;
  /** Aborted when the server stops; then the stream says so in its last event. */
  readonly stopping: AbortSignal;
  /** A reader may be further than the journal, which is the copy of another one. */
  readonly isReplica?: boolean;
}

/**
 * Writes pages of entries as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * the `seq` as the id, the entry as one line of JSON. What is no entry bears no id, so that a
 * client's position is always that of an entry.
 */
export async function* encodeEvents(
  pages: AsyncIterable<readonly Entry[]>,
  { heartbeatMs, stopping }: EventOptions,
): AsyncGenerator<string> {
  yield `retry: ${retryMs}\n\n`;
  const source = pages[Symbol.asyncIterator]();
  let onBeat = () => {};
  const beating = setInterval(() => onBeat(), heartbeatMs);

  /** Gives the next page, or undefined at the next heartbeat. */
  function pageOrBeat(next: Promise<IteratorResult<readonly Entry[]>>) {
    return new Promise<IteratorResult<readonly Entry[]> | undefined>((resolve, reject) => {
      onBeat = () => resolve(undefined);
      next.then(resolve, reject);
    });
  }

  try {
    let next = source.next();
    for (;;) {
      const page = await pageOrBeat(next);
      if (page === undefined) {
        yield ': nothing new\n\n';
        continue;
      }
      if (page.done) break;
      for (const part of cutPage(page.value)) yield part.map(toEvent).join('');
      next = source.next();
    }
    if (stopping.aborted) yield 'event: stop\ndata: {}\n\n';
  } finally {
    clearInterval(beating);
    await source.return?.();
  }
}

function toEvent(entry: Entry): string {
  return `id: ${entry.seq}\ndata: ${toEntryJson(entry)}\n\n`;
}

/** Reads the data of events that have an id, as many as come at once; others say nothing new. */
export async function* readEvents(
  chunks: AsyncIterable<string>,
  lineMaxLength: number,
): AsyncGenerator<string[]> {
  let hasId = false;
  for await (const lines of splitLines(chunks, lineMaxLength)) {
    const found: string[] = [];
    for (const line of lines) {
      if (line.startsWith('id: ')) hasId = true;
      else if (line.startsWith('data: ') && hasId) found.push(line.slice('data: '.length));
      else if (line === '') hasId = false;
    }
    if (found.length > 0) yield found;
  }
}
