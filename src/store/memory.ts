import { randomUUID } from 'node:crypto';
import { checkOriginal, copyError } from '../journal/copy.ts';
import { withFollow } from '../journal/follow.ts';
import { createGate } from '../journal/gate.ts';
import { checkJournal, goneError } from '../journal/gone.ts';
import type { AppendResult } from '../journal/journal.ts';
import type { Store } from '../journal/store.ts';
import type { Entry, Message } from '../message.ts';

const pageMaxCount = 1000;

/** Opens a journal that lives as long as its process, for trials and tests. */
export function openMemoryJournal(now: () => Date = () => new Date()): Store {
  const entries: Entry[] = [];
  const byId = new Map<string, Entry>();
  const gate = createGate();
  const ownId = randomUUID();
  let copiedFrom: string | undefined;
  // A copy of a journal may begin after 1.
  let firstSeq = 1;

  const lastSeq = () => firstSeq + entries.length - 1;

  function add(entry: Entry): void {
    entries.push(entry);
    byId.set(entry.id, entry);
  }

  function appendOne({ id, txt }: Message, at: string): AppendResult {
    const first = byId.get(id);
    if (first) {
      return { id, status: first.txt === txt ? 'duplicate' : 'conflict', seq: first.seq };
    }
    const seq = lastSeq() + 1;
    add({ seq, id, txt, at });
    return { id, status: 'logged', seq };
  }

  return withFollow({
    durability: 'kept in memory, gone when the service stops',
    async append(messages) {
      gate.check();
      const at = now().toISOString();
      return messages.map((message) => appendOne(message, at));
    },
    async copy(added, original) {
      gate.check();
      checkOriginal(original, copiedFrom);
      const begin = entries.length === 0 ? (added[0]?.seq ?? firstSeq) : lastSeq() + 1;
      const ids = new Set<string>();
      for (const [index, { seq, id }] of added.entries()) {
        const isNew = !byId.has(id) && !ids.has(id);
        if (seq !== begin + index || !isNew) throw copyError(seq, begin + index - 1);
        ids.add(id);
      }
      if (entries.length === 0) firstSeq = begin;
      for (const entry of added) add(entry);
      copiedFrom = original || copiedFrom;
    },
    async original() {
      gate.check();
      return copiedFrom;
    },
    async *read({ after, limit, journal }) {
      gate.check();
      checkJournal(journal, ownId);
      if (after < firstSeq - 1) throw goneError(after, firstSeq);
      const begin = after - firstSeq + 1;
      const end = Math.min(begin + limit, entries.length);
      for (let from = begin; from < end; from += pageMaxCount) {
        yield entries.slice(from, Math.min(from + pageMaxCount, end));
      }
    },
    async get(id) {
      gate.check();
      return byId.get(id);
    },
    async head() {
      gate.check();
      return { journal: ownId, firstSeq, lastSeq: lastSeq() };
    },
    close: () => gate.close(),
  });
}
