import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/journal/store.ts';
import { endOfCopy, Place } from '../../src/journal/place.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { entriesFrom } from '../contract/follow-contract.ts';
import { message, readAll } from '../contract/journal-contract.ts';

async function storeOf(first: number, last: number): Promise<Store> {
  const store = openMemoryJournal();
  await store.copy(entriesFrom(first, last));
  return store;
}

const [sixth] = entriesFrom(6, 6);
const otherSixth = { ...sixth!, txt: 'another text' };

describe('a place in a journal', () => {
  let journal: Store;
  beforeEach(async () => {
    journal = await storeOf(1, 9);
  });

  it('is confirmed where its entry is still there, and moves with what is read', async () => {
    const place = new Place({ seq: 5 });
    expect(await place.confirm(journal)).toMatchObject({ firstSeq: 1, lastSeq: 9 });
    place.pass(entriesFrom(6, 9));
    expect(place.seq).toBe(9);
    await place.confirm(journal);
  });

  it('without a position begins at the oldest entry there is, once', async () => {
    const place = new Place();
    await place.confirm(await storeOf(41, 50));
    expect(place.seq).toBe(40);
    await expect(place.confirm(await storeOf(61, 70))).rejects.toMatchObject({ code: 'gone' });
  });

  it('is gone where the journal ends before it', async () => {
    await expect(new Place({ seq: 10 }).confirm(journal)).rejects.toMatchObject({
      code: 'gone',
      details: { firstSeq: 1 },
    });
  });

  it('is gone where retention has removed what comes next, not where that is still there', async () => {
    const late = await storeOf(41, 50);
    await new Place({ seq: 40 }).confirm(late);
    const left = new Place({ seq: 40, entry: entriesFrom(40, 40)[0] });
    await left.confirm(late);
    await expect(new Place({ seq: 39 }).confirm(late)).rejects.toMatchObject({ code: 'gone' });
  });

  it.each(['id', 'txt', 'at'])('is gone where another %s stands in its place', async (name) => {
    const changed = { [name]: name === 'at' ? new Date(0).toISOString() : 'another' };
    const place = new Place({ seq: 6, entry: { ...sixth!, ...changed } });
    await expect(place.confirm(journal)).rejects.toMatchObject({ code: 'gone' });
  });
});

describe('the end of a copy', () => {
  async function endOf(copy: Store, original: Store): Promise<number> {
    const place = await endOfCopy(copy);
    await place.confirm(original);
    return place.seq;
  }

  it('is the beginning of the original where nothing is copied yet', async () => {
    expect(await endOf(openMemoryJournal(), await storeOf(1, 9))).toBe(0);
    expect(await endOf(openMemoryJournal(), await storeOf(41, 50))).toBe(40);
    expect(await endOf(openMemoryJournal(), openMemoryJournal())).toBe(0);
  });

  it.each([
    [1, 1],
    [1, 6],
    [1, 9],
    [5, 9],
  ])('is its newest entry where it holds %i to %i of 1 to 9', async (first, last) => {
    const [original, copy] = [await storeOf(1, 9), await storeOf(first, last)];
    const end = await endOf(copy, original);
    expect(end).toBe(last);
    for await (const page of original.read({ after: end, limit: Infinity })) await copy.copy(page);
    expect((await readAll(copy, { after: first - 1, limit: Infinity })).at(-1)?.seq).toBe(9);
  });

  it('is a conflict where the original has another entry there', async () => {
    const copy = await storeOf(1, 5);
    await copy.copy([otherSixth]);
    await expect(endOf(copy, await storeOf(1, 9))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is a conflict where it has more than the original', async () => {
    const copy = await storeOf(1, 9);
    for (const original of [await storeOf(1, 8), openMemoryJournal()]) {
      await expect(endOf(copy, original)).rejects.toMatchObject({ code: 'conflict' });
    }
    const begunAnew = openMemoryJournal();
    await begunAnew.append([message('m-1')]);
    await expect(endOf(copy, begunAnew)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is gone where the original has removed what comes next', async () => {
    await expect(endOf(await storeOf(1, 9), await storeOf(41, 50))).rejects.toMatchObject({
      code: 'gone',
      details: { firstSeq: 41 },
    });
  });
});
