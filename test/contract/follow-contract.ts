import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FollowRange, Journal } from '../../src/journal/journal.ts';
import type { Store } from '../../src/journal/store.ts';
import type { Entry } from '../../src/message.ts';
import { seqsFrom, startFollower, type Follower } from './follower.ts';
import { message, readAll, type Subject } from './journal-contract.ts';

/** States what a journal promises to its followers, for one implementation or wrapper. */
export function describeFollow(name: string, open: () => Promise<Subject>): void {
  describe(`a journal that is followed: ${name}`, () => {
    let subject: Subject;
    let journal: Journal;
    const followers: Follower[] = [];

    beforeEach(async () => {
      subject = await open();
      journal = subject.journal;
    });

    afterEach(async () => {
      await Promise.all(followers.splice(0).map((follower) => follower.stop()));
      await journal.close().catch(() => {});
      await subject.end?.();
    });

    function start(after?: number): Follower {
      const follower = startFollower(journal, after);
      followers.push(follower);
      return follower;
    }

    /** Appends the entries of a range, several at a time. */
    async function append(first: number, last: number, size = 7): Promise<void> {
      for (let from = first; from <= last; from += size) {
        const seqs = seqsFrom(from, Math.min(from + size - 1, last));
        await journal.append(seqs.map((seq) => message(`m-${seq}`)));
      }
    }

    it('gives what there is and then what comes, each entry once and in order', async () => {
      await append(1, 1_500, 1_500);
      const follower = start();
      await Promise.all([append(1_501, 1_900), follower.got(1_500)]);
      await follower.got(1_900);
      await append(1_901, 1_910, 1);
      await follower.got(1_910);
      expect(await follower.stop()).toBeUndefined();
      expect(follower.seqs()).toEqual(seqsFrom(1, 1_910));
      expect(follower.entries).toEqual(await readAll(journal));
    });

    it('gives each of many followers what is behind its own position', async () => {
      await append(1, 1_200, 1_200);
      const positions = [0, 0, 1, 600, 999, 1_000, 1_199, 1_200, 1_200];
      const early = positions.map((after) => start(after));
      const appending = append(1_201, 1_300);
      await early[0]!.got(1_201);
      const late = positions.map((after) => start(after));
      await appending;
      for (const [index, follower] of [...early, ...late].entries()) {
        const after = positions[index % positions.length]!;
        await follower.got(1_300 - after);
        expect(follower.seqs()).toEqual(seqsFrom(after + 1, 1_300));
      }
    });

    it('ends when it is told to, while there is nothing new and at its beginning', async () => {
      await append(1, 3);
      const [busy, idle, empty] = [start(), start(3), start()];
      await busy.got(3);
      for (const follower of [busy, idle, empty]) expect(await follower.stop()).toBeUndefined();
      expect(idle.entries).toEqual([]);
      const stopped = journal.follow({ after: 3, signal: AbortSignal.abort() });
      for await (const page of stopped) expect(page).toBeUndefined();
      await append(4, 4);
      expect(await readAll(journal)).toHaveLength(4);
    });

    it('goes on well after a follower that left early', async () => {
      await append(1, 1_200, 1_200);
      const { signal } = new AbortController();
      for await (const page of journal.follow({ after: 0, signal })) {
        expect(page[0]!.seq).toBe(1);
        break;
      }
      const next = start(1_199);
      await append(1_201, 1_201);
      await next.got(2);
      expect(next.seqs()).toEqual([1_200, 1_201]);
    });

    it('does not let a follower that takes nothing hold up an append or another one', async () => {
      await append(1, 10);
      const stopping = new AbortController();
      const slow = take({ after: 0, signal: stopping.signal });
      expect((await slow.next()).value![0]!.seq).toBe(1);
      const quick = start();
      await append(11, 2_500, 100);
      await quick.got(2_500);
      const taken = await takeUntil(slow, 2_500);
      stopping.abort();
      expect((await slow.next()).done).toBe(true);
      expect(taken.at(-1)).toBe(2_500);
      expect(taken).toEqual(seqsFrom(taken[0]!, 2_500));
    });

    it('closes though it is followed, and leaves no follower waiting', async () => {
      await append(1, 1_200, 1_200);
      const idle = start(1_200);
      const caughtUp = start();
      await caughtUp.got(1_200);
      const { signal } = new AbortController();
      const slow = take({ after: 0, signal });
      expect((await slow.next()).value![0]!.seq).toBe(1);
      const begun = start(1_200);
      await journal.close();
      for (const follower of [idle, caughtUp, begun, start(), start(1_200)]) {
        expect([undefined, 'closed']).toContain(codeOf(await follower.ended));
      }
      expect(caughtUp.seqs()).toEqual(seqsFrom(1, 1_200));
      let outcome: unknown;
      for (let isOver = false; !isOver;) {
        isOver = await slow.next().then(
          ({ done }) => done === true,
          (error: unknown) => {
            outcome = error;
            return true;
          },
        );
      }
      expect([undefined, 'closed']).toContain(codeOf(outcome));
    });

    function take(range: FollowRange): AsyncIterator<readonly Entry[]> {
      return journal.follow(range)[Symbol.asyncIterator]();
    }
  });
}

/** A journal that begins after 1, because its oldest entries were removed. */
export interface LateSubject extends Subject {
  /** The store below, still empty. */
  readonly store: Store;
}

/** States what a journal promises whose first entries were removed. */
export function describeLateJournal(name: string, open: () => Promise<LateSubject>): void {
  describe(`a journal that begins late: ${name}`, () => {
    let subject: LateSubject;
    let journal: Journal;

    beforeEach(async () => {
      subject = await open();
      journal = subject.journal;
      await subject.store.copy(entriesFrom(41, 50));
    });

    afterEach(async () => {
      await journal.close();
      await subject.end?.();
    });

    it('says where it begins, and goes on counting', async () => {
      expect(await journal.head()).toMatchObject({ firstSeq: 41, lastSeq: 50 });
      expect(await journal.append([message('new'), message('m-50')])).toEqual([
        { id: 'new', seq: 51, status: 'logged' },
        { id: 'm-50', seq: 50, status: 'duplicate' },
      ]);
      expect(await journal.head()).toMatchObject({ firstSeq: 41, lastSeq: 51 });
    });

    it.each([0, 1, 39])('throws gone to who begins behind %i, and never skips', async (after) => {
      const gone = { code: 'gone', details: { firstSeq: 41 } };
      await expect(readAll(journal, { after, limit: 5 })).rejects.toMatchObject(gone);
      const follower = startFollower(journal, after);
      expect(await follower.ended).toMatchObject(gone);
      expect(follower.entries).toEqual([]);
    });

    it('gives what there is to who begins right before it', async () => {
      expect(await readAll(journal, { after: 40, limit: Infinity })).toEqual(entriesFrom(41, 50));
      const follower = startFollower(journal, 40);
      await follower.got(10);
      await journal.append([message('m-51')]);
      await follower.got(11);
      await follower.stop();
      expect(follower.seqs()).toEqual(seqsFrom(41, 51));
    });
  });
}

/** States what a store promises that is a copy of another journal. */
export function describeStore(name: string, open: () => Promise<LateSubject>): void {
  describe(`a store that is a copy: ${name}`, () => {
    let subject: LateSubject;
    let store: Store;

    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });

    afterEach(async () => {
      await store.close();
      await subject.end?.();
    });

    it('keeps entries as they are, and lets its followers have them', async () => {
      const follower = startFollower(store, 40);
      await store.copy(entriesFrom(41, 45));
      await store.copy([]);
      await store.copy(entriesFrom(46, 60));
      await follower.got(20);
      await follower.stop();
      expect(follower.entries).toEqual(entriesFrom(41, 60));
      expect(await readAll(store, { after: 40, limit: Infinity })).toEqual(entriesFrom(41, 60));
      expect(await store.get('m-41')).toEqual(entriesFrom(41, 41)[0]);
    });

    it('records whose copy it is, and refuses entries of another journal', async () => {
      expect(await store.original()).toBeUndefined();
      await store.copy([], 'first');
      expect(await store.original()).toBe('first');
      await store.copy(entriesFrom(41, 42), 'first');
      await expect(store.copy(entriesFrom(43, 43), 'second')).rejects.toMatchObject({
        code: 'conflict',
      });
      await store.copy(entriesFrom(43, 43));
      expect(await store.original()).toBe('first');
      expect(await store.head()).toMatchObject({ firstSeq: 41, lastSeq: 43 });
      expect((await store.head()).journal).not.toBe('first');
    });

    it.each<[string, Entry[]]>([
      ['leave a gap', entriesFrom(12, 13)],
      ['are there already', entriesFrom(10, 11)],
      ['have a gap between them', [...entriesFrom(11, 12), ...entriesFrom(14, 14)]],
      ['repeat an id', [...entriesFrom(11, 11), { ...entriesFrom(12, 12)[0]!, id: 'm-3' }]],
    ])('refuses entries that %s, and keeps none of them', async (_, entries) => {
      await store.copy(entriesFrom(1, 10));
      await expect(store.copy(entries)).rejects.toMatchObject({ code: 'conflict' });
      expect(await readAll(store)).toEqual(entriesFrom(1, 10));
      expect(await store.get('m-11')).toBeUndefined();
      await store.copy(entriesFrom(11, 11));
      expect(await store.head()).toMatchObject({ firstSeq: 1, lastSeq: 11 });
    });

    it('is empty as before where its first entries are refused', async () => {
      const twice = [...entriesFrom(41, 41), ...entriesFrom(41, 41)];
      await expect(store.copy(twice)).rejects.toMatchObject({ code: 'conflict' });
      expect(await store.head()).toMatchObject({ firstSeq: 1, lastSeq: 0 });
      expect(await store.append([message('a')])).toMatchObject([{ seq: 1, status: 'logged' }]);
    });
  });
}

/** Returns entries of another journal, from a time long ago. */
export function entriesFrom(first: number, last: number): Entry[] {
  return seqsFrom(first, last).map((seq) => ({
    seq,
    ...message(`m-${seq}`),
    at: new Date(Date.UTC(2020, 1, 1) + seq).toISOString(),
  }));
}

async function takeUntil(pages: AsyncIterator<readonly Entry[]>, last: number): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.at(-1) !== last) {
    const { value, done } = await pages.next();
    if (done) throw new Error(`It ended at ${seqs.at(-1)}.`);
    seqs.push(...value.map(({ seq }) => seq));
  }
  return seqs;
}

function codeOf(error: unknown): unknown {
  return error && (error as { code?: unknown }).code;
}
