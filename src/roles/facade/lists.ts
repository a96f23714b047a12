import { toMlogError } from '../../errors.ts';
import type { TextStream } from '../../http/client.ts';
import { encodeTexts, toJsonLine } from '../../http/formats.ts';
import type { Journal } from '../../journal/journal.ts';
import { selectEntries } from '../../journal/select.ts';

/** Gives the body of a list, once it is known that there is one. */
export type Source = () => Promise<TextStream>;

/** The list of the reference over HTTP: what each of the two services lists, as two strings. */
export function listOfServices(loggingList: Source, messagesList: Source): Source {
  return async () => {
    const opened: TextStream[] = [];
    const cancel = () => opened.forEach((stream) => stream.cancel());
    try {
      for (const openList of [loggingList, messagesList]) opened.push(await openList());
    } catch (error) {
      cancel();
      throw error;
    }
    return { chunks: encodeLists(opened[0]!.chunks, opened[1]!.chunks), cancel };
  };
}

async function* encodeLists(
  logged: AsyncIterable<string>,
  messages: AsyncIterable<string>,
): AsyncGenerator<string> {
  yield '["logging-service: ';
  for await (const piece of logged) yield escapeJson(piece);
  yield '","message-service: ';
  for await (const piece of messages) yield escapeJson(piece);
  yield '"]\n';
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/**
 * The list of texts alone, which is that of the reference over gRPC: from the journal, or whole from
 * `texts` where the logging service has no entries to give.
 */
export function listOfTexts(journal: Journal, texts?: () => Promise<string[]>): Source {
  return async () => {
    try {
      const { pages } = await selectEntries(journal, {});
      return { chunks: encodeTexts(pages), cancel: () => {} };
    } catch (error) {
      if (!texts || toMlogError(error).code !== 'unimplemented') throw error;
      return oneText(toJsonLine(await texts()));
    }
  };
}

/** A list that is all there already. */
export function oneText(text: string): TextStream {
  // eslint-disable-next-line typescript/require-await
  async function* give() {
    yield text;
  }
  return { chunks: give(), cancel: () => {} };
}
