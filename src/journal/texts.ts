import { cutPage } from './cut.ts';
import type { Journal } from './journal.ts';
import { selectEntries } from './select.ts';
import type { Entry } from '../message.ts';

/** A text that is still arriving. */
export interface TextStream {
  /** The text in pieces. Leaving the loop early ends the stream. */
  readonly chunks: AsyncIterable<string>;
  /** Ends a stream that nobody will read. */
  readonly cancel: () => void;
}

/** Opens the plain list of a journal as the reference writes it: a JSON array and a newline. */
export async function listTexts(journal: Journal): Promise<TextStream> {
  const { pages } = await selectEntries(journal, {});
  return { chunks: encodeTexts(pages), cancel: () => {} };
}

/** Returns a stream of a text that is already complete. */
export function oneText(text: string): TextStream {
  // eslint-disable-next-line typescript/require-await
  async function* give() {
    yield text;
  }
  return { chunks: give(), cancel: () => {} };
}

/** Writes pages of entries as the plain list of their texts. */
export async function* encodeTexts(pages: AsyncIterable<readonly Entry[]>): AsyncGenerator<string> {
  let before = '[';
  for await (const page of pages) {
    for (const part of cutPage(page)) {
      yield before + part.map(({ txt }) => toJsonString(txt)).join(',');
      before = ',';
    }
  }
  yield before === '[' ? '[]\n' : ']\n';
}

/** Matches everything but the printable ASCII that JSON does not escape. */
const special = /[^ !#-[\]-~]/;

/**
 * Writes a string like JSON.stringify does. Measured with lines of 50 bytes: a message takes 0.2 µs
 * instead of 0.4, a result 0.16 instead of 0.33.
 */
export function toJsonString(text: string): string {
  return special.test(text) ? JSON.stringify(text) : `"${text}"`;
}
