import type { Entry } from '../message.ts';
import { encodePage } from './read-messages.ts';

/**
 * Small pages, so that a reader that takes nothing holds little, and any client takes them. The
 * streams of grpc-js count messages and not bytes: a client has 16 pages in memory for each reader.
 */
const pageMaxCount = 200;
const pageMaxLength = 64 * 1024;

/** Writes entries as Pages; one that is larger than a page makes one of its own. */
export function* encodePages(entries: readonly Entry[]): Generator<Buffer> {
  let from = 0;
  let length = 0;
  for (const [index, { txt }] of entries.entries()) {
    const isFull = index - from === pageMaxCount || length + txt.length > pageMaxLength;
    if (isFull && index > from) {
      yield encodePage(entries.slice(from, index));
      from = index;
      length = 0;
    }
    length += txt.length;
  }
  yield encodePage(entries.slice(from));
}
