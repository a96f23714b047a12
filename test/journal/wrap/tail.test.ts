import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MlogError } from '../../../src/errors.ts';
import { goneError } from '../../../src/journal/gone.ts';
import type { Journal, ReadRange } from '../../../src/journal/journal.ts';
import { withTail } from '../../../src/journal/wrap/tail.ts';
import type { Entry } from '../../../src/message.ts';
import { openMemoryJournal } from '../../../src/store/memory.ts';
import { seqsFrom, startFollower, type Follower } from '../../contract/follower.ts';
import { message } from '../../contract/journal-contract.ts';

/**
 * A memory journal that records its followers and readers, and whose streams can be interrupted.
 */
class WatchedJournal {
  /** The positions from which it was followed. */
  readonly follows: number[] = [];
  readonly reads: ReadRange[] = [];
  following = 0;
  readonly journal: Journal;
  #cut = new AbortController();

  constructor(memory: Journal = openMemoryJournal()) {
    this.journal = {
      ...memory,
      read: (range) => {
        // A read of one entry confirms a place.
        if (range.limit > 1) this.reads.push(range);
        // A reader in an endless loop would never yield to the timeout of a test.
        if (this.reads.length > 100) throw new Error('It is read without end.');
        return memory.read(range);
      },
      follow: (range) => this.#follow(memory, range.after, range.signal),
    };
  }

  async *#follow(memory: Journal, after: number, stopped: AbortSignal) {
    this.follows.push(after);
    this.following += 1;
    const cut = this.#cut.signal;
    try {
      yield* memory.follow({ after, signal: AbortSignal.any([stopped, cut]) });
      if (cut.aborted && cut.reason) throw cut.reason as Error;
    } finally {
      this.following -= 1;
    }
  }

  /** Ends the present streams, with or without an error. */
  breakOff(error?: MlogError): void {
    // A signal makes up a reason of its own if it gets undefined.
    this.#cut.abort(error ?? null);
    this.#cut = new AbortController();
  }
}

describe('withTail', () => {
  let below: WatchedJournal;
  let journal: Journal;
  let last: number;
  const followers: Follower[] = [];

  beforeEach(() => {
    below = new WatchedJournal();
    journal = withTail(below.journal);
    last = 0;
  });

  afterEach(async () => {
    await Promise.all(followers.splice(0).map((follower) => follower.stop()));
    await journal.close();
  });

  function start(after?: number): Follower {
    const follower = startFollower(journal, after);
    followers.push(follower);
    return follower;
  }

  async function append(count: number, to = below.journal): Promise<void> {
    const seqs = seqsFrom(last + 1, last + count);
    last += count;
    await to.append(seqs.map((seq) => message(`m-${seq}`)));
  }

  it('follows the journal below once, however many follow, and reads nothing twice', async () => {
    await append(10);
    const all = Array.from({ length: 30 }, () => start(10));
    await append(20);
    await Promise.all(all.map((follower) => follower.got(20)));
    const late = start(25);
    await append(20);
    await Promise.all([...all.map((follower) => follower.got(40)), late.got(25)]);
    for (const follower of all) expect(follower.seqs()).toEqual(seqsFrom(11, 50));
    expect(late.seqs()).toEqual(seqsFrom(26, 50));
    expect(below.follows).toEqual([10]);
    expect(below.reads).toEqual([]);
  });

  it('reads only for who begins before the others did', async () => {
    await append(10);
    const live = start(10);
    await append(5);
    await live.got(5);
    const [first, second] = [start(), start(7)];
    await Promise.all([first.got(15), second.got(8)]);
    expect(first.seqs()).toEqual(seqsFrom(1, 15));
    expect(second.seqs()).toEqual(seqsFrom(8, 15));
    expect(below.reads).toMatchObject([
      { after: 0, limit: 10 },
      { after: 7, limit: 3 },
    ]);
    expect(below.follows).toEqual([10]);
  });

  it.each([
    ['with an error', new MlogError('unavailable', 'The connection broke.')],
    ['without a word', undefined],
  ])('takes up where it was what breaks off %s', async (_, error) => {
    await append(10);
    const [early, live] = [start(), start(10)];
    await append(5);
    await Promise.all([early.got(15), live.got(5)]);
    for (const at of [15, 25]) {
      below.breakOff(error);
      await append(10);
      await Promise.all([early.got(at + 10), live.got(at)]);
    }
    expect(early.seqs()).toEqual(seqsFrom(1, 35));
    expect(live.seqs()).toEqual(seqsFrom(11, 35));
    expect(below.follows).toEqual([10, 15, 25]);
  });

  it('takes up what a follower reads for itself, too', async () => {
    await append(10);
    const { journal: whole } = below;
    const breaks = [3, 6];
    const read = async function* ({ after, limit }: ReadRange) {
      // A read of one entry checks that it is still the one that was read before.
      const at = limit === 1 ? Infinity : (breaks.shift() ?? Infinity);
      for await (const page of whole.read({ after, limit })) {
        const kept = page.filter(({ seq }) => seq <= at);
        if (kept.length > 0) yield kept;
        if (kept.length < page.length) throw new MlogError('unavailable', 'It was killed.');
      }
    };
    const follower = startFollower(withTail({ ...whole, read }));
    await follower.got(10);
    await append(1);
    await follower.got(11);
    expect(follower.seqs()).toEqual(seqsFrom(1, 11));
    expect(below.reads.map(({ after }) => after)).toEqual([0, 3, 6]);
    expect(await follower.stop()).toBeUndefined();
  });

  it('asks again twice a second, tells of an outage once, and lets a follower go meanwhile', async () => {
    await append(10);
    const out = new MlogError('unavailable', 'Nothing listens.');
    let tries = 0;
    const read = () => {
      tries += 1;
      throw out;
    };
    const outages: MlogError[] = [];
    const tailed = withTail(
      { ...below.journal, read },
      {
        onOutage: (error) => outages.push(error),
      },
    );
    const follower = startFollower(tailed);
    await expect.poll(() => tries, { interval: 5, timeout: 5_000 }).toBe(2);
    await expect.poll(() => tries, { interval: 5, timeout: 5_000 }).toBe(3);
    expect(await follower.stop()).toBeUndefined();
    expect(outages).toEqual([out]);
  });

  it('tells who reads for itself that another journal is there now', async () => {
    await append(10);
    const other = openMemoryJournal();
    let now = below.journal;
    // eslint-disable-next-line typescript/require-await
    const read = async function* (range: ReadRange) {
      yield* now.read({ ...range, limit: 5 });
      now = other;
      throw new MlogError('unavailable', 'It was killed.');
    };
    const follower = startFollower(withTail({ ...below.journal, head: () => now.head(), read }));
    expect(await follower.ended).toMatchObject({ code: 'gone' });
    expect(follower.seqs()).toEqual(seqsFrom(1, 5));
  });

  it('follows the journal that is asked for, though the one before is still waited for', async () => {
    let now = below.journal;
    const swapped = withTail({
      ...below.journal,
      head: () => now.head(),
      follow: (range) => now.follow(range),
    });
    const before = startFollower(swapped);
    followers.push(before);
    await append(1);
    await before.got(1);
    now = openMemoryJournal();
    const { journal: id } = await now.head();
    const pages = swapped.follow({ after: 0, signal: new AbortController().signal, journal: id });
    const next = pages[Symbol.asyncIterator]().next();
    await append(1, now);
    expect((await next).value).toMatchObject([{ seq: 1, id: 'm-2' }]);
    await append(1);
    await before.got(2);
    await swapped.close();
    await expect(before.ended).resolves.toMatchObject({ code: 'closed' });
  });

  it.each([goneError(3, 9), new MlogError('data_loss', 'Entry 12 is damaged.')])(
    'tells all followers what cannot be taken up again: $code',
    async (failure) => {
      await append(10);
      const both = [start(), start(10)];
      await append(1);
      await both[0]!.got(11);
      await both[1]!.got(1);
      below.breakOff(failure);
      for (const follower of both) expect(await follower.ended).toBe(failure);
      expect(both[0]!.seqs()).toEqual(seqsFrom(1, 11));
      const next = start();
      await append(1);
      await next.got(12);
      expect(next.seqs()).toEqual(seqsFrom(1, 12));
      expect(below.follows).toEqual([10, 11]);
    },
  );

  it('begins anew for the next one while somebody has not heard yet that it failed', async () => {
    const error = new MlogError('data_loss', 'Entry 2 is damaged.');
    const slow = journal.follow({ after: 0, signal: new AbortController().signal });
    const pages = slow[Symbol.asyncIterator]();
    const quick = start();
    await append(1);
    expect((await pages.next()).value).toHaveLength(1);
    below.breakOff(error);
    expect(await quick.ended).toBe(error);
    const next = start(1);
    await append(1);
    await next.got(1);
    await expect(pages.next()).rejects.toBe(error);
    await append(1);
    await next.got(2);
    expect(below.follows).toEqual([0, 1]);
  });

  it('leaves nobody waiting when it is closed, though the journal below goes on', async () => {
    const kept = withTail({ ...below.journal, close: () => Promise.resolve() });
    const follower = startFollower(kept);
    await append(1);
    await follower.got(1);
    await kept.close();
    expect(await follower.ended).toMatchObject({ code: 'closed' });
    await expect.poll(() => below.following).toBe(0);
  });

  it('tells a follower that the journal cannot be reached, and asks again for the next', async () => {
    const error = new MlogError('unavailable', 'Nothing listens.');
    let isThere = false;
    const tailed = withTail({
      ...below.journal,
      head: () => (isThere ? below.journal.head() : Promise.reject(error)),
    });
    const both = [startFollower(tailed), startFollower(tailed)];
    for (const follower of both) expect(await follower.ended).toBe(error);
    isThere = true;
    const next = startFollower(tailed);
    await append(3);
    await next.got(3);
    expect(await next.stop()).toBeUndefined();
  });

  it.each([
    ['entries', 25_000, 500, 'text'],
    ['bytes', 60, 2, 'x'.repeat(256 * 1_024)],
  ])('lets who falls behind by many %s read them, and miss none', async (_, count, size, txt) => {
    const slow = journal.follow({ after: 0, signal: new AbortController().signal });
    const pages = slow[Symbol.asyncIterator]();
    const quick = start();
    await append(1);
    expect((await pages.next()).value).toHaveLength(1);
    while (last < count) {
      const seqs = seqsFrom(last + 1, last + size);
      last += size;
      await below.journal.append(seqs.map((seq) => ({ id: `${seq}`, txt })));
      await quick.got(last);
    }
    expect(below.reads).toEqual([]);
    const taken = [1];
    while (taken.at(-1) !== last)
      taken.push(...(await pages.next()).value!.map(({ seq }: Entry) => seq));
    await pages.return?.();
    expect(taken).toEqual(seqsFrom(1, last));
    expect(quick.seqs()).toEqual(seqsFrom(1, last));
    // What the tail had in memory still came from there.
    const read = below.reads.reduce((sum, { limit }) => sum + limit, 0);
    expect(below.reads[0]).toMatchObject({ after: 1 });
    expect(read).toBeGreaterThan(count / 2);
    expect(read).toBeLessThan(count * 0.8);
    expect(below.follows).toEqual([0]);
  });

  it('costs a follower the same for each message, however many came before', async () => {
    let looks = 0;
    const counted = ({ seq, ...fields }: Entry): Entry => ({
      ...fields,
      get seq() {
        looks += 1;
        return seq;
      },
    });
    const tailed = withTail({
      ...below.journal,
      async *follow(range) {
        for await (const page of below.journal.follow(range)) yield page.map(counted);
      },
    });
    const both = [startFollower(tailed), startFollower(tailed)];
    const looksByMessage: number[] = [];
    while (last < 60) {
      const before = looks;
      await append(1);
      await Promise.all(both.map((follower) => follower.got(last)));
      looksByMessage.push(looks - before);
    }
    expect(Math.max(...looksByMessage.slice(30))).toBe(Math.max(...looksByMessage.slice(0, 10)));
    await Promise.all(both.map((follower) => follower.stop()));
  });

  it('gives a follower that is behind many small pages what is there in one', async () => {
    const slow = journal.follow({ after: 0, signal: new AbortController().signal });
    const pages = slow[Symbol.asyncIterator]();
    const quick = start();
    await append(1);
    await pages.next();
    while (last < 20) {
      await append(1);
      await quick.got(last);
    }
    expect((await pages.next()).value!.map(({ seq }: Entry) => seq)).toEqual(seqsFrom(2, 20));
    await pages.return?.();
  });

  it.each([
    ['between two pages', [[1], [3]]],
    ['within a page', [[1, 3]]],
  ])(
    'tells followers of entries that are missing %s, and gives nothing behind them',
    async (_, all) => {
      const tailed = withTail({
        ...below.journal,
        // eslint-disable-next-line typescript/require-await
        async *follow() {
          for (const seqs of all) {
            yield seqs.map((seq) => ({
              seq,
              id: `${seq}`,
              txt: 'x',
              at: '2026-01-01T00:00:00.000Z',
            }));
          }
        },
      });
      const follower = startFollower(tailed);
      expect(await follower.ended).toMatchObject({ code: 'data_loss' });
      expect(follower.seqs()).not.toContain(3);
    },
  );

  it('ends the one below with the last follower, and begins it again with the next', async () => {
    const [one, other] = [start(), start()];
    await append(3);
    await Promise.all([one.got(3), other.got(3)]);
    await one.stop();
    await append(1);
    await other.got(4);
    expect(below.following).toBe(1);
    await other.stop();
    await expect.poll(() => below.following).toBe(0);
    await append(1);
    const next = start(4);
    await append(1);
    await next.got(2);
    expect(next.seqs()).toEqual([5, 6]);
    expect(below.follows).toEqual([0, 5]);
  });

  it('tells who asks for entries that the journal has lost, and does not spin', async () => {
    await append(5);
    const lost = withTail({
      ...below.journal,
      head: () => Promise.resolve({ journal: '', firstSeq: 1, lastSeq: 8 }),
    });
    const follower = startFollower(lost, 2);
    expect(await follower.ended).toMatchObject({ code: 'data_loss' });
    expect(follower.seqs()).toEqual([3, 4, 5]);
    expect(below.reads).toMatchObject([
      { after: 2, limit: 6 },
      { after: 5, limit: 3 },
    ]);
  });
});
