import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Journal } from '../../../src/journal/journal.ts';
import type { Store, StoreOptions } from '../../../src/journal/store.ts';
import { selectEntries } from '../../../src/journal/select.ts';
import type { Entry } from '../../../src/message.ts';
import { openStoreFile, type OpenedStore } from '../../../src/store/sqlite/file.ts';
import type { Retention } from '../../../src/store/sqlite/removal.ts';
import { ActiveReads, startRetention } from '../../../src/store/sqlite/retention.ts';
import { SqliteStore } from '../../../src/store/sqlite/store.ts';
import { packMessages } from '../../../src/store/sqlite/wire.ts';
import { openSqliteJournal, verifySqliteStore } from '../../../src/store/sqlite/sqlite.ts';
import { seqsFrom, startFollower } from '../../contract/follower.ts';
import { entriesFrom } from '../../contract/follow-contract.ts';
import { message, readAll } from '../../contract/journal-contract.ts';
import { temporaryFolder } from '../../support/folder.ts';

describe('the retention of a store', () => {
  const hour = 3_600_000;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let opened: OpenedStore;
  let store: SqliteStore;

  beforeEach(async () => {
    folder = await temporaryFolder();
    opened = await openStoreFile(join(folder.path, 'mlog.db'));
    store = new SqliteStore(opened);
    vi.useFakeTimers({ toFake: ['Date'] });
  });

  afterEach(async () => {
    vi.useRealTimers();
    opened.log.close();
    await folder.remove();
  });

  function append(first: number, last: number): void {
    store.append(packMessages(seqsFrom(first, last).map((seq) => message(`m-${seq}`))));
  }

  function retain({ oldest, ...retention }: Partial<Retention> & { oldest?: number }): boolean {
    const all = Number.MAX_SAFE_INTEGER;
    const age = oldest === undefined ? undefined : { oldest, now: Date.now() };
    return store.retain({ messages: all, age, heldFrom: all, ...retention }).hasMore;
  }

  /** Returns the `seq` of every row, whatever the store says. */
  function rows(): number[] {
    const found = opened.database.prepare('SELECT seq FROM entry ORDER BY seq').all();
    return (found as { seq: number }[]).map(({ seq }) => seq);
  }

  it('announces what goes, then removes it, and keeps the newest so many', () => {
    append(1, 10);
    expect(retain({ messages: 4 })).toBe(false);
    expect(store.head()).toMatchObject({ firstSeq: 7, lastSeq: 10 });
    expect(rows()).toEqual(seqsFrom(1, 10));
    expect(retain({ messages: 4 })).toBe(false);
    expect(rows()).toEqual(seqsFrom(7, 10));
    append(11, 12);
    retain({ messages: 4 });
    retain({ messages: 4 });
    expect(rows()).toEqual(seqsFrom(9, 12));
    expect(store.head()).toMatchObject({ firstSeq: 9, lastSeq: 12 });
  });

  it('removes what is older than a time, and nothing of that time', () => {
    const times = [0, 1, 1, 5, 9];
    for (const [index, hours] of times.entries()) {
      vi.setSystemTime(hours * hour);
      append(index + 1, index + 1);
    }
    for (const [oldest, first] of [
      [0, 1],
      [hour, 2],
      [hour + 1, 4],
      [4 * hour, 4],
      [5 * hour, 4],
      [6 * hour, 5],
    ] as const) {
      retain({ oldest });
      retain({ oldest });
      expect(rows()).toEqual(seqsFrom(first, 5));
      expect(store.head()).toMatchObject({ firstSeq: first, lastSeq: 5 });
    }
  });

  /** Stores one entry at each time. Returns what is left of them after an hour's retention. */
  function keptOf(times: readonly number[]): number[] {
    for (const [index, time] of times.entries()) {
      vi.setSystemTime(time);
      append(index + 1, index + 1);
    }
    for (let count = 0; count < 3; count += 1) retain({ oldest: Date.now() - hour });
    return rows();
  }

  const [now, past, future] = [Date.UTC(2026, 1), Date.UTC(1999, 12), Date.UTC(2037, 1)];

  it.each<[string, number[], number[]]>([
    ['a clock that was in the past', [now, now, past, past, now], [1, 2, 3, 4, 5]],
    ['a clock that was in the past for a while', [now - 2 * hour, now, past, now], [2, 3, 4]],
    ['a clock that was in the future', [now, future, now], [1, 2, 3]],
    ['a clock that is in the past', [now, now, past], [1, 2, 3]],
  ])('never removes an entry before an older one: %s', (_, times, kept) => {
    expect(keptOf(times)).toEqual(kept);
  });

  it('removes entries of the future with the next one that is too old', () => {
    const old = now - 2 * hour;
    expect(keptOf([future, future, old, old, future, now])).toEqual([5, 6]);
  });

  it('looks behind any number of entries of the future for what is too old', () => {
    vi.setSystemTime(future);
    for (let first = 1; first < 60_000; first += 1_000) append(first, first + 999);
    vi.setSystemTime(now);
    append(60_001, 60_002);
    vi.setSystemTime(now + 2 * hour);
    append(60_003, 60_003);
    for (let count = 0; count < 3; count += 1) retain({ oldest: Date.now() - hour });
    expect(store.head()).toMatchObject({ firstSeq: 60_003, lastSeq: 60_003 });
  });

  it('keeps the newest entry whatever its age, for the place of the next one', () => {
    vi.setSystemTime(0);
    append(1, 5);
    for (let count = 0; count < 3; count += 1) retain({ oldest: hour, messages: 1 });
    expect(rows()).toEqual([5]);
    expect(store.head()).toMatchObject({ firstSeq: 5, lastSeq: 5 });
    expect(store.append(packMessages([message('m-6')]))).toEqual({ firstSeq: 6 });
  });

  it('leaves an empty store empty', () => {
    expect(retain({ messages: 1, oldest: hour })).toBe(false);
    expect(store.head()).toMatchObject({ firstSeq: 1, lastSeq: 0 });
    append(1, 1);
    expect(rows()).toEqual([1]);
  });

  it('tells what it has removed, and why', () => {
    const all = Number.MAX_SAFE_INTEGER;
    append(1, 10);
    const byCount = { messages: 7, age: undefined, heldFrom: all };
    expect(store.retain(byCount)).toMatchObject({ removed: undefined, newestAt: Date.now() });
    expect(store.retain(byCount)).toMatchObject({
      removed: { firstSeq: 1, lastSeq: 3, reason: 'count' },
    });
    const age = { oldest: Date.now() + 1, now: Date.now() + 1 };
    store.retain({ messages: all, age, heldFrom: all });
    expect(store.retain({ messages: all, age, heldFrom: all })).toMatchObject({
      removed: { firstSeq: 4, lastSeq: 9, reason: 'age' },
    });
  });

  it('takes no more than a thousand at a time', () => {
    append(1, 2_500);
    retain({ messages: 10 });
    expect(retain({ messages: 10 })).toBe(true);
    expect(rows()[0]).toBe(1_001);
    expect(retain({ messages: 10 })).toBe(true);
    expect(retain({ messages: 10 })).toBe(false);
    expect(rows()).toEqual(seqsFrom(2_491, 2_500));
  });

  it('removes nothing that somebody still reads', () => {
    append(1, 100);
    retain({ messages: 10 });
    for (const heldFrom of [1, 40, 40, 5]) {
      expect(retain({ messages: 10, heldFrom })).toBe(false);
      expect(rows()[0]).toBe(heldFrom === 1 ? 1 : 40);
    }
    retain({ messages: 10 });
    expect(rows()).toEqual(seqsFrom(91, 100));
  });

  it('lets who asked where it begins begin there, though it has announced more since', () => {
    append(1, 5_000);
    retain({ messages: 10 });
    const { firstSeq } = store.head();
    append(5_001, 10_000);
    while (retain({ messages: 10 })) expect(store.head().firstSeq).toBe(firstSeq);
    expect(store.head().firstSeq).toBe(9_991);
    expect(store.page({ after: firstSeq - 1, limit: 5 }).seqs).toEqual(seqsFrom(4_991, 4_995));
    expect(() => store.page({ after: firstSeq - 2, limit: 5 })).toThrow(
      expect.objectContaining({ code: 'gone', details: { firstSeq: 9_991 } }),
    );
    while (retain({ messages: 10 }));
    expect(() => store.page({ after: firstSeq - 1, limit: 5 })).toThrow(
      expect.objectContaining({ code: 'gone' }),
    );
    expect(store.page({ after: 9_990, limit: 5 }).seqs).toEqual(seqsFrom(9_991, 9_995));
  });

  it('lets a key live as long as its message', () => {
    append(1, 4);
    retain({ messages: 2 });
    retain({ messages: 2 });
    const again = [message('m-4'), { id: 'm-1', txt: 'another' }, { id: 'm-1', txt: 'a third' }];
    expect(store.append(packMessages(again))).toEqual({
      results: [
        { status: 'duplicate', seq: 4 },
        { status: 'logged', seq: 5 },
        { status: 'conflict', seq: 5 },
      ],
    });
  });

  it('goes on in a copy that begins late', () => {
    store.copy(entriesFrom(41, 50));
    retain({ messages: 5 });
    retain({ messages: 5 });
    expect(rows()).toEqual(seqsFrom(46, 50));
    expect(store.head()).toMatchObject({ firstSeq: 46, lastSeq: 50 });
  });
});

/** A journal in a folder of its own. */
class Kept {
  journal!: Store;
  readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, 'mlog.db');
  }

  async open(options: StoreOptions): Promise<void> {
    this.journal = await openSqliteJournal(this.path, options);
  }

  async append(first: number, last: number): Promise<void> {
    for (let from = first; from <= last; from += 1_000) {
      const seqs = seqsFrom(from, Math.min(from + 999, last));
      await this.journal.append(seqs.map((seq) => message(`m-${seq}`)));
    }
  }

  /** Waits until an entry is not only announced for removal, but gone. */
  async gone(seq: number): Promise<void> {
    const range = { after: seq - 1, limit: 1 };
    const look = () => readAll(this.journal, range).then(() => 'there', codeOf);
    const check = async () => assert.equal(await look(), 'gone');
    await vi.waitFor(check, { timeout: 10_000 });
  }
}

/** Gives a test a folder of its own. These tests all wait for sweeps, so they run together. */
async function inFolder(test: (kept: Kept) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder();
  const kept = new Kept(folder.path);
  try {
    await test(kept);
  } finally {
    await kept.journal?.close();
    await folder.remove();
  }
}

describe.concurrent('a journal with retention', () => {
  it('keeps the newest so many, and tells of a position that is gone', () =>
    inFolder(async (kept) => {
      await kept.open({ retainMessages: 10 });
      await kept.append(1, 2_500);
      await kept.gone(2_490);
      expect(await kept.journal.head()).toMatchObject({ firstSeq: 2_491, lastSeq: 2_500 });
      for (const after of [0, 1, 2_489]) {
        const error = { code: 'gone', details: { firstSeq: 2_491 } };
        await expect(readAll(kept.journal, { after, limit: 1 })).rejects.toMatchObject(error);
        expect(await startFollower(kept.journal, after).ended).toMatchObject(error);
      }
      const { pages } = await selectEntries(kept.journal, {});
      expect(await seqsOf(pages)).toEqual(seqsFrom(2_491, 2_500));
      expect(await kept.journal.get('m-2490')).toBeUndefined();
      expect(await kept.journal.get('m-2491')).toMatchObject({ seq: 2_491 });
    }));

  it('keeps what is younger than its age, and the newest at any age', () =>
    inFolder(async (kept) => {
      await kept.open({ retainAge: 1_500 });
      await kept.append(1, 5);
      await kept.gone(4);
      expect(await kept.journal.head()).toMatchObject({ firstSeq: 5, lastSeq: 5 });
      await kept.journal.close();
      await kept.open({ retainAge: 1 });
      expect(await kept.journal.head()).toMatchObject({ firstSeq: 5, lastSeq: 5 });
      await kept.append(6, 6);
      await kept.gone(5);
      expect(await readAll(kept.journal, { after: 5, limit: 9 })).toMatchObject([{ seq: 6 }]);
    }));

  it('tells of what it removes: count, range and reason', () =>
    inFolder(async (kept) => {
      const notices: string[] = [];
      await kept.open({ retainMessages: 10, onNotice: (notice) => notices.push(notice) });
      await kept.append(1, 2_500);
      await kept.gone(2_490);
      await vi.waitFor(() => assert.match(notices.at(-1)!, /2490: too many$/));
      expect(notices[0]).toMatch(/^Removed \d+ messages, 1 to \d+: too many$/);
    }));

  it('is whole at every start, counts on, and takes a removed id as a new message', () =>
    inFolder(async (kept) => {
      await kept.open({ retainMessages: 3 });
      await kept.append(1, 1_200);
      await kept.gone(1_197);
      await kept.journal.close();
      const whole = { messages: 3, firstSeq: 1_198, lastSeq: 1_200, problems: [] };
      expect(await verifySqliteStore(kept.path)).toEqual(whole);
      await kept.open({});
      expect(await kept.journal.head()).toMatchObject({ firstSeq: 1_198, lastSeq: 1_200 });
      expect(await kept.journal.append([{ id: 'm-7', txt: 'another' }, message('m-1198')])).toEqual(
        [
          { id: 'm-7', seq: 1_201, status: 'logged' },
          { id: 'm-1198', seq: 1_198, status: 'duplicate' },
        ],
      );
      expect(await kept.journal.get('m-7')).toMatchObject({ seq: 1_201, txt: 'another' });
    }));

  it.each<[string, (journal: Journal) => AsyncIterable<readonly Entry[]>]>([
    ['reader', (from) => from.read({ after: 0, limit: 20_000 })],
    ['follower', (from) => from.follow({ after: 0, signal: new AbortController().signal })],
  ])('gives a %s that has begun every entry', (_, begin) =>
    inFolder(async (kept) => {
      await kept.open({ retainMessages: 10 });
      await kept.append(1, 20_000);
      const pages = begin(kept.journal)[Symbol.asyncIterator]();
      const seqs = [...(await pages.next()).value!].map(({ seq }) => seq);
      // One sweep later, everything removable is gone.
      await kept.gone(500);
      await kept.append(20_001, 20_100);
      await vi.waitFor(async () => assert.equal((await kept.journal.head()).firstSeq, 20_091), {
        timeout: 5_000,
      });
      while (seqs.at(-1)! < 20_000) {
        seqs.push(...(await pages.next()).value!.map(({ seq }: Entry) => seq));
      }
      await pages.return?.();
      expect(seqs.slice(0, 20_000)).toEqual(seqsFrom(1, 20_000));
      await kept.gone(20_000);
    }),
  );

  it('gives who asks for all of it what there is, whenever it sweeps', () =>
    inFolder(async (kept) => {
      await kept.open({ retainMessages: 50 });
      const seen = new Set<number>();
      for (let last = 0; seen.size < 4; last += 40) {
        await kept.append(last + 1, last + 40);
        const { head, pages } = await selectEntries(kept.journal, {});
        await kept.append(last + 41, last + 80);
        last += 40;
        expect(await seqsOf(pages)).toEqual(seqsFrom(head.firstSeq, head.lastSeq));
        seen.add(head.firstSeq);
      }
    }));

  it('finds an entry that is just being removed, or none', () =>
    inFolder(async (kept) => {
      await kept.open({ retainMessages: 1 });
      await kept.append(1, 30_000);
      // The last one of each thousand that is removed together, at the same time.
      const ids = [...seqsFrom(1, 29).map((thousand) => `m-${thousand * 1_000}`), 'm-29999'];
      let found: (Entry | undefined)[];
      do {
        found = await Promise.all(ids.map((id) => kept.journal.get(id)));
        for (const [index, entry] of found.entries()) {
          if (entry) expect(entry).toMatchObject(message(ids[index]!));
        }
      } while (found.some((entry) => entry !== undefined));
      expect(await kept.journal.head()).toMatchObject({ firstSeq: 30_000, lastSeq: 30_000 });
    }));
});

describe('a sweep that breaks off', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('tells what it has removed until then', async () => {
    vi.useFakeTimers();
    const removed = { firstSeq: 1, lastSeq: 1_000, reason: 'count' };
    let calls = 0;
    // eslint-disable-next-line typescript/require-await
    async function call<Result>(): Promise<Result> {
      calls += 1;
      if (calls > 1) throw new Error('The disk is full.');
      return { hasMore: true, removed, newestAt: 0 } as Result;
    }
    const notices: string[] = [];
    const onNotice = (notice: string) => notices.push(notice);
    const retention = startRetention({ call }, new ActiveReads(), { retainMessages: 5, onNotice });
    await vi.advanceTimersByTimeAsync(1_000);
    clearInterval(retention);
    expect(notices).toEqual(['Removed 1000 messages, 1 to 1000: too many']);
  });
});

describe('the readers of a store', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('hold what they have not got yet, for a minute at the most', () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const readers = new ActiveReads();
    expect(readers.heldFrom()).toBe(Number.MAX_SAFE_INTEGER);
    const first = readers.enter(0);
    now = 30_000;
    const second = readers.enter(100);
    expect(readers.heldFrom()).toBe(1);
    first.after = 200;
    expect(readers.heldFrom()).toBe(101);
    first.after = 50;
    now = 59_999;
    expect(readers.heldFrom()).toBe(51);
    now = 60_000;
    expect(readers.heldFrom()).toBe(101);
    readers.leave(second);
    expect(readers.heldFrom()).toBe(Number.MAX_SAFE_INTEGER);
  });
});

async function seqsOf(pages: AsyncIterable<readonly Entry[]>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const page of pages) seqs.push(...page.map(({ seq }) => seq));
  return seqs;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
