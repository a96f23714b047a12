import { oneText, type TextStream } from '../../journal/texts.ts';

/** Opens a list; rejects if there is none. */
export type Source = () => Promise<TextStream>;

/** A list up to this length is kept. A longer one is opened again when it is read. */
const keptMaxLength = 64 * 1024;

/**
 * Returns the list of the reference over HTTP: the lists of both services, as two strings. The
 * second list follows the first, which its reader may take slowly, while the service cuts a stream
 * that nobody reads. So the second list is first opened to see whether it is there, and again when
 * it is its turn.
 */
export function listOfServices(loggingList: Source, messagesList: Source): Source {
  return async () => {
    const openMessages = await keepShort(messagesList);
    const { chunks, cancel } = await loggingList();
    return { chunks: encodeLists(chunks, openMessages), cancel };
  };
}

/** Opens a list and keeps it if it is short. Returns what reads it. */
async function keepShort(openList: Source): Promise<Source> {
  let text = '';
  for await (const piece of (await openList()).chunks) {
    text += piece;
    // Leaving the loop ends the stream.
    if (text.length > keptMaxLength) return openList;
  }
  // eslint-disable-next-line typescript/require-await
  return async () => oneText(text);
}

async function* encodeLists(
  logged: AsyncIterable<string>,
  openMessages: Source,
): AsyncGenerator<string> {
  yield '["logging-service: ';
  for await (const piece of logged) yield escapeJson(piece);
  yield '","message-service: ';
  for await (const piece of (await openMessages()).chunks) yield escapeJson(piece);
  yield '"]\n';
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
