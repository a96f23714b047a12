import { createGate } from '../journal/gate.ts';
import type { AppendResult, Journal } from '../journal/journal.ts';
import type { Entry, Message } from '../message.ts';

const pageMaxCount = 1000;

/** Opens a journal that lives as long as its process: for trying out, and for tests. */
export function openMemoryJournal(now: () => Date = () => new Date()): Journal {
  const entries: Entry[] = [];
  const byId = new Map<string, Entry>();
  const gate = createGate();

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
      gate.check();
      const at = now().toISOString();
      return messages.map((message) => appendOne(message, at));
    },
    async *read({ after, limit }) {
      gate.check();
      const end = Math.min(after + limit, entries.length);
      for (let from = after; from < end; from += pageMaxCount) {
        yield entries.slice(from, Math.min(from + pageMaxCount, end));
      }
    },
    async get(id) {
      gate.check();
      return byId.get(id);
    },
    async head() {
      gate.check();
      return { lastSeq: entries.length };
    },
    close: () => gate.close(),
  };
}
