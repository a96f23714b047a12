import { describe, expect, it } from 'vitest';
import { findCopyEnd } from '../../src/journal/copy.ts';
import type { Store } from '../../src/journal/journal.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';
import { entriesFrom } from '../contract/follow-contract.ts';
import { message, readAll } from '../contract/journal-contract.ts';

async function storeOf(first: number, last: number): Promise<Store> {
  const store = openMemoryJournal();
  await store.copy(entriesFrom(first, last));
  return store;
}

describe('the end of a copy', () => {
  it('is the beginning of the original where nothing is copied yet', async () => {
    expect(await findCopyEnd(await storeOf(1, 9), openMemoryJournal())).toMatchObject({ after: 0 });
    expect(await findCopyEnd(await storeOf(41, 50), openMemoryJournal())).toMatchObject({
      after: 40,
    });
    expect(await findCopyEnd(openMemoryJournal(), openMemoryJournal())).toMatchObject({ after: 0 });
  });

  it.each([
    [1, 1],
    [1, 6],
    [1, 9],
    [5, 9],
  ])('is its newest entry where it holds %i to %i of 1 to 9', async (first, last) => {
    const [original, copy] = [await storeOf(1, 9), await storeOf(first, last)];
    const end = await findCopyEnd(original, copy);
    const { journal } = await original.head();
    expect(end).toEqual({ after: last, journal });
    for await (const page of original.read({ ...end, limit: Infinity })) {
      await copy.copy(page, end.journal);
    }
    expect((await readAll(copy, { after: first - 1, limit: Infinity })).at(-1)?.seq).toBe(9);
  });

  it.each(['id', 'txt', 'at'])('is none where its newest entry has another %s', async (name) => {
    const copy = await storeOf(1, 5);
    const changed = { [name]: name === 'at' ? new Date(0).toISOString() : 'another' };
    await copy.copy([{ ...entriesFrom(6, 6)[0]!, ...changed }]);
    await expect(findCopyEnd(await storeOf(1, 9), copy)).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('is none where it has more than the original', async () => {
    const copy = await storeOf(1, 9);
    for (const original of [await storeOf(1, 8), openMemoryJournal()]) {
      await expect(findCopyEnd(original, copy)).rejects.toMatchObject({ code: 'conflict' });
    }
    const begunAnew = openMemoryJournal();
    await begunAnew.append([message('m-1')]);
    await expect(findCopyEnd(begunAnew, copy)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is none where it was copied from another journal, though the entries are the same', async () => {
    const [original, another] = [await storeOf(1, 9), await storeOf(1, 9)];
    const copy = openMemoryJournal();
    const end = await findCopyEnd(original, copy);
    await copy.copy(entriesFrom(1, 5), end.journal);
    expect(await copy.original()).toBe((await original.head()).journal);
    expect(await findCopyEnd(original, copy)).toMatchObject({ after: 5 });
    await expect(findCopyEnd(another, copy)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is gone where the original has removed what comes next', async () => {
    await expect(findCopyEnd(await storeOf(41, 50), await storeOf(1, 9))).rejects.toMatchObject({
      code: 'gone',
      details: { firstSeq: 41 },
    });
  });
});
