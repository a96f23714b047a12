import { beforeEach, describe, expect, it } from 'vitest';
import { MlogError } from '../../src/errors.ts';
import type { Store } from '../../src/journal/store.ts';
import { Place } from '../../src/journal/place.ts';
import { resumed, type ResumeOptions } from '../../src/journal/resume.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { entriesFrom } from '../contract/follow-contract.ts';
import { seqsFrom } from '../contract/follower.ts';

const away = new MlogError('unavailable', 'Nothing listens.');

describe('a reading that is resumed', () => {
  let now: Store;
  let place: Place;
  let told: string[];
  beforeEach(async () => {
    now = await storeOf(20);
    place = new Place();
    told = [];
  });

  async function storeOf(last: number, txt?: string): Promise<Store> {
    const store = openMemoryJournal();
    await store.copy(entriesFrom(1, last).map((entry) => ({ ...entry, ...(txt && { txt }) })));
    return store;
  }

  /** Reads 5 entries per attempt, and is interrupted until all are there. */
  function read(more: Partial<ResumeOptions> = {}) {
    const journal = {
      head: () => now.head(),
      read: (range: Parameters<Store['read']>[0]) => now.read(range),
    };
    async function* open() {
      for await (const page of now.read({ after: place.seq, limit: 5 })) yield page;
      if (place.seq < 20) throw away;
    }
    return resumed(place, {
      journal,
      open,
      pauseMs: 1,
      onOutage: ({ message }) => told.push(message),
      ...more,
    });
  }

  async function collect(pages: AsyncIterable<readonly { seq: number }[]>): Promise<number[]> {
    const seqs: number[] = [];
    for await (const page of pages) seqs.push(...page.map(({ seq }) => seq));
    return seqs;
  }

  it('gives each entry once, through any number of outages that bring something', async () => {
    expect(await collect(read({ attemptsMax: 2 }))).toEqual(seqsFrom(1, 20));
    expect(place.seq).toBe(20);
    expect(told).toHaveLength(3);
  });

  it('gives up after so many attempts that bring nothing', async () => {
    let attempts = 0;
    // eslint-disable-next-line require-yield
    async function* open() {
      attempts += 1;
      throw away;
    }
    await expect(collect(read({ open, attemptsMax: 4 }))).rejects.toBe(away);
    expect({ attempts, told }).toEqual({ attempts: 4, told: [away.message] });
  });

  it('tells of a return, once for each outage', async () => {
    await collect(read({ onReturn: () => told.push('back') }));
    expect(told).toEqual(Array.from({ length: 3 }, () => [away.message, 'back']).flat());
  });

  it.each<[string, () => Promise<Store>]>([
    ['one that is shorter', () => storeOf(3)],
    ['one that is longer', () => storeOf(30, 'other')],
    ['an empty one', () => storeOf(0)],
  ])('ends with gone when the journal was replaced by %s', async (_, replace) => {
    const pages = read({ head: await now.head() })[Symbol.asyncIterator]();
    expect((await pages.next()).value).toHaveLength(5);
    now = await replace();
    await expect(pages.next()).rejects.toMatchObject({ code: 'gone' });
    expect(place.seq).toBe(5);
  });

  it('ends with what another attempt does not mend', async () => {
    const damaged = new MlogError('data_loss', 'Entry 3 is damaged.');
    // eslint-disable-next-line require-yield
    async function* open() {
      throw damaged;
    }
    await expect(collect(read({ open }))).rejects.toBe(damaged);
    const skipping = async function* () {
      yield entriesFrom(3, 4);
    };
    await expect(collect(read({ open: skipping }))).rejects.toMatchObject({ code: 'data_loss' });
    expect(told).toEqual([]);
  });

  it('ends at once when it is told to, in an outage too', async () => {
    const stop = new AbortController();
    const onOutage = () => stop.abort();
    expect(await collect(read({ signal: stop.signal, pauseMs: 60_000, onOutage }))).toEqual(
      seqsFrom(1, 5),
    );
  });
});
