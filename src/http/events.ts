import { toMlogError } from '../errors.ts';
import { cutPage } from '../journal/cut.ts';
import type { Entry } from '../message.ts';
import { toEntryJson } from './formats.ts';
import { splitLines } from './lines.ts';
import { toProblem } from './problem.ts';

/** How a client that lost the stream comes back: after this, with its last position. */
const retryMs = 1_000;

/** How an endless reply of events is kept alive, and when it ends. */
export interface EventOptions {
  /** Nothing to tell for so long is told, by a comment. */
  readonly heartbeatMs: number;
  /** Aborted when the server stops; then the stream says so in its last event. */
  readonly stopping: AbortSignal;
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
  let wake = () => {};
  const beating = setInterval(() => wake(), heartbeatMs);

  /** Asks for a page. Its promise gets one handler, however many heartbeats pass meanwhile. */
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
    // The head is out: this is how a reader learns that its position is of no use here any more.
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
