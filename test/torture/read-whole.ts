import type { Reply } from '../support/http.ts';
import type { StoredEntry } from '../support/writers.ts';
import { openClients } from './clients.ts';
import type { Server } from './scene.ts';

const pageMaxCount = 256;
const triesMaxCount = 1000;

/**
 * Reads everything that is intact, as the hint of the error says: continuing after each damaged
 * entry.
 */
export const readWhole = async ({ logging }: Server): Promise<StoredEntry[]> => {
  const clients = openClients(1);
  const read: StoredEntry[] = [];
  const headers = { accept: 'application/x-ndjson' };
  let after = 0;
  let limit = pageMaxCount;
  try {
    const head = await clients.get(`${logging}/logging?last=0`, headers);
    const lastSeq = Number(head.headers['mlog-last-seq']);
    for (let tries = 0; tries < triesMaxCount && after < lastSeq; tries += 1) {
      const url = `${logging}/logging?after=${after}&limit=${limit}`;
      const entries = await clients.get(url, headers).then(toEntries, () => []);
      read.push(...entries);
      if (entries.length > 0) {
        after = entries.at(-1)!.seq;
        limit = Math.min(limit * 4, pageMaxCount);
      } else if (limit > 1) {
        // Something in this range is damaged. Closer to it there may be intact entries.
        limit = Math.ceil(limit / 4);
      } else {
        after += 1;
      }
    }
  } finally {
    clients.close();
  }
  return read;
};

const toEntries = ({ status, text }: Reply): StoredEntry[] => {
  const lines = status === 200 ? text.split('\n').filter(Boolean) : [];
  return lines.map((line) => JSON.parse(line) as StoredEntry);
};
