import { MlogError } from '../errors.ts';
import type { AppendResult, Journal } from '../journal/journal.ts';
import type { Entry, Message } from '../message.ts';

const pageMaxCount = 1000;

/** Opens a journal that lives as long as its process: for trying out, and for tests. */
export function openMemoryJournal(now: () => Date = () => new Date()): Journal {
  const entries: Entry[] = [];
  const byId = new Map<string, Entry>();
  let closed = false;

  function checkOpen(): void {
    if (closed) throw new MlogError('unavailable', 'The journal is closed.');
  }

  function appendOne({ id, txt }: Message, at: string): AppendResult {
    const first = byId.get(id);
    if (first) {
      return { id, status: first.txt === txt ? 'duplicate' : 'conflict', seq: first.seq };
    }
    const entry: Entry = { seq: entries.length + 1, id, txt, at };
    entries.push(entry);
    byId.set(id, entry);
    return { id, status: 'logged', seq: entry.seq };
  }

  return {
    async append(messages) {
      checkOpen();
      const at = now().toISOString();
      return messages.map((message) => appendOne(message, at));
    },
    async *read({ after, limit }) {
      checkOpen();
      const end = Math.min(after + limit, entries.length);
      for (let from = after; from < end; from += pageMaxCount) {
        yield entries.slice(from, Math.min(from + pageMaxCount, end));
      }
    },
    async get(id) {
      checkOpen();
      return byId.get(id);
    },
    async head() {
      checkOpen();
      return { lastSeq: entries.length };
    },
    async close() {
      closed = true;
    },
  };
}
