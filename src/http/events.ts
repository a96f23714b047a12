import { toMlogError } from '../errors.ts';
import { cutPage } from '../journal/cut.ts';
import type { Entry } from '../message.ts';
import { toEntryJson } from './formats.ts';
import { splitLines } from './lines.ts';
import { toProblem } from './problem.ts';

/** The pause after which a client that lost the stream reconnects, with its last position. */
const retryMs = 1_000;

/** How an endless reply of events is kept alive, and when it ends. */
export interface EventOptions {
  /** A comment is sent after this long without an event. */
  readonly heartbeatMs: number;
  /** Aborted when the server stops. The last event of the stream then says so. */
  readonly stopping: AbortSignal;
}

/**
 * Writes pages of entries as server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html): the `seq` is the id, and the
 * data is the entry as one line of JSON. Other events have no id, so that the position of a client
 * is always that of an entry.
 */
export async function* encodeEvents(
  pages: AsyncIterable<readonly Entry[]>,
  { heartbeatMs, stopping }: EventOptions,
): AsyncGenerator<string> {
  yield `retry: ${retryMs}\n\n`;
  const source = pages[Symbol.asyncIterator]();
  let wake = () => {};
  const beating = setInterval(() => wake(), heartbeatMs);

  /** Requests a page. Its promise gets one handler, however many heartbeats pass meanwhile. */
  function ask() {
    const asked = { page: source.next(), hasSettled: false };
    const settle = () => {
      asked.hasSettled = true;
      wake();
    };
    asked.page.then(settle, settle);
    return asked;
  }

  try {
    let asked = ask();
    for (;;) {
      if (!asked.hasSettled) await new Promise<void>((resolve) => (wake = resolve));
      if (!asked.hasSettled) {
        yield ': nothing new\n\n';
        continue;
      }
      const page = await asked.page;
      if (page.done) break;
      for (const part of cutPage(page.value)) yield part.map(toEvent).join('');
      asked = ask();
    }
    if (stopping.aborted) yield 'event: stop\ndata: {}\n\n';
  } catch (error) {
    // The head is out, so this event tells the reader that its position is gone.
    if (toMlogError(error).code !== 'gone') throw error;
    yield `event: gone\ndata: ${toProblem(toMlogError(error))}\n`;
  } finally {
    clearInterval(beating);
    await source.return?.();
  }
}

function toEvent(entry: Entry): string {
  return `id: ${entry.seq}\ndata: ${toEntryJson(entry)}\n\n`;
}

/**
 * Reads the data of events that have an id, as many as arrive together. Other events are skipped.
 */
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
