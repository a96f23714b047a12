import { cutPage } from '../../journal/cut.ts';
import type { Entry } from '../../message.ts';
import { encodePage } from '../read-messages.ts';

/**
 * Encodes entries as Pages that any client accepts. Pages are small because the streams of grpc-js
 * count messages, not bytes: for each reader a client holds 16 of them in memory.
 */
export function* encodePages(entries: readonly Entry[]): Generator<Buffer> {
  for (const part of cutPage(entries)) yield encodePage(part);
}
