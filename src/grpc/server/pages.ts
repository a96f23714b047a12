import { cutPage } from '../../journal/cut.ts';
import type { Entry } from '../../message.ts';
import { encodePage } from '../read-messages.ts';

/**
 * Writes entries as Pages that any client takes. They are small, for the streams of grpc-js count
 * messages and not bytes: a client has 16 of them in memory for each reader.
 */
export function* encodePages(entries: readonly Entry[]): Generator<Buffer> {
  for (const part of cutPage(entries)) yield encodePage(part);
}
