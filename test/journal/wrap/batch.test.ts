import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MlogError } from '../../../src/errors.ts';
import { withBatch } from '../../../src/journal/wrap/batch.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import type { Message } from '../../../src/message.ts';
import { openMemoryJournal } from '../../../src/store/memory.ts';
import { message } from '../../contract/journal-contract.ts';

const options = { batchMaxCount: 8, batchMaxBytes: 1_000 };

/** A memory journal that records its appends and holds each until it is released. */
function heldJournal(
  refuse: (messages: readonly Message[]) => Error | undefined = () => undefined,
) {
  const batches: string[][] = [];
  const held: (() => void)[] = [];
  const memory = openMemoryJournal();
  const journal: Journal = {
    ...memory,
    async append(messages) {
      batches.push(messages.map(({ id }) => id));
      await new Promise<void>((resolve) => held.push(resolve));
      const refusal = refuse(messages);
      if (refusal) throw refusal;
      return await memory.append(messages);
    },
  };
  const letGo = async () => {
    held.shift()!();
    await turn();
    await turn();
  };
  return { journal, batches, letGo };
}

describe('withBatch', () => {
  it('hands a lone message on at the end of the turn', async () => {
    const { journal, batches } = heldJournal();
    void withBatch(journal, options).append([message('a')]);
    await turn();
    expect(batches).toEqual([['a']]);
  });

  it('gathers what comes in a turn, and what comes while two batches are on their way', async () => {
    const { journal, batches, letGo } = heldJournal();
    const batched = withBatch(journal, options);
    const append = (id: string) => batched.append([message(id)]);
    const appends = [append('a'), append('b')];
    await turn();
    appends.push(append('c'));
    await turn();
    appends.push(append('d'));
    await turn();
    appends.push(append('e'));
    await turn();
    expect(batches).toEqual([['a', 'b'], ['c']]);
    await letGo();
    expect(batches).toEqual([['a', 'b'], ['c'], ['d', 'e']]);
    for (let count = 0; count < 2; count += 1) await letGo();
    expect((await Promise.all(appends)).map(([result]) => result?.seq)).toEqual([1, 2, 3, 4, 5]);
  });

  it('hands on what is enough for a batch before the turn is over', () => {
    const { journal, batches } = heldJournal();
    const batched = withBatch(journal, { batchMaxCount: 100, batchMaxBytes: 10_000 });
    for (let n = 0; n < 40; n += 1) void batched.append([message(`${n}`)]);
    expect(batches.map(({ length }) => length)).toEqual([32]);
  });

  it('bounds a batch by count and by bytes, and never splits an append', async () => {
    const { journal, batches, letGo } = heldJournal();
    const batched = withBatch(journal, options);
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => message(`${from + index}`));
    const appends = [
      batched.append(many(0, 5)),
      batched.append(many(5, 5)),
      batched.append([{ id: 'large', txt: 'x'.repeat(2_000) }]),
      batched.append([message('last')]),
    ];
    await turn();
    for (let count = 0; count < 4; count += 1) await letGo();
    await Promise.all(appends);
    expect(batches).toEqual([
      ['0', '1', '2', '3', '4'],
      ['5', '6', '7', '8', '9'],
      ['large'],
      ['last'],
    ]);
  });

  it('lets nobody be refused for what somebody else sent', async () => {
    const refusal = new MlogError('too_large', 'too large');
    const { journal, letGo } = heldJournal((messages) =>
      messages.some(({ id }) => id === 'bad') ? refusal : undefined,
    );
    const batched = withBatch(journal, options);
    const appends = ['a', 'b', 'bad', 'c'].map((id) => batched.append([message(id)]));
    const outcomes = Promise.allSettled(appends);
    await turn();
    for (let count = 0; count < 5; count += 1) await letGo();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  it('joins no appends for a service that takes one message a request', async () => {
    const { journal, batches, letGo } = heldJournal();
    const batched = withBatch({ ...journal, takesMany: () => false }, options);
    const appends = ['a', 'b', 'c'].map((id) => batched.append([message(id)]));
    await turn();
    await turn();
    for (let count = 0; count < 3; count += 1) await letGo();
    await Promise.all(appends);
    expect(batches).toEqual([['a'], ['b'], ['c']]);
  });

  it('fails all that waits with one batch where the service cannot be asked what it is', async () => {
    const { journal, batches } = heldJournal();
    const failure = new MlogError('deadline_exceeded', 'No answer in time.', { isUnsent: true });
    const asked: ((error: Error) => void)[] = [];
    const takesMany = () => new Promise<boolean>((_, reject) => asked.push(reject));
    const batched = withBatch({ ...journal, takesMany }, options);
    const outcomes = Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((id) => batched.append([message(id)])),
    );
    await turn();
    for (const reject of asked) reject(failure);
    expect((await outcomes).map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    expect(batches).toEqual([]);
  });

  it('tells every waiting append when the outcome of its batch is unknown', async () => {
    const { journal, batches, letGo } = heldJournal(() => new MlogError('unavailable', 'gone'));
    const batched = withBatch(journal, options);
    const outcomes = Promise.allSettled(['a', 'b', 'c'].map((id) => batched.append([message(id)])));
    await turn();
    await letGo();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(batches).toHaveLength(1);
  });
});

describe('withBatch over a journal that does not answer', () => {
  const late = new MlogError('deadline_exceeded', 'No answer in time.');
  const overdueMs = 50;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    return () => vi.useRealTimers();
  });

  it('fails with a silent batch only the appends that were sent in it', async () => {
    const { journal, batches, letGo } = heldJournal((messages) =>
      messages[0]!.id === 'a' ? late : undefined,
    );
    const batched = withBatch(journal, { ...options, batchMaxCount: 1 });
    const outcomes = Promise.allSettled(
      ['a', 'b', 'c', 'd', 'e'].map((id) => batched.append([message(id)])),
    );
    await turn();
    await turn();
    for (let count = 0; count < 5; count += 1) await letGo();
    const [first, ...others] = (await outcomes).map(({ status }) => status);
    expect(first).toBe('rejected');
    expect(others).toEqual(Array(4).fill('fulfilled'));
    expect(batches).toHaveLength(5);
  });

  it('sends what waits while two batches are overdue', async () => {
    const { journal, batches } = heldJournal();
    const batched = withBatch(journal, { ...options, overdueMs });
    for (const id of ['a', 'b', 'c', 'd']) {
      void batched.append([message(id)]);
      await turn();
    }
    await vi.advanceTimersByTimeAsync(overdueMs - 1);
    expect(batches).toEqual([['a'], ['b']]);
    await vi.advanceTimersByTimeAsync(1);
    await turn();
    expect(batches).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  it('has no more than 256 batches without an answer, and goes on as answers come', async () => {
    const { journal, batches, letGo } = heldJournal();
    const batched = withBatch(journal, { ...options, batchMaxCount: 1, overdueMs });
    for (let n = 0; n < 300; n += 1) void batched.append([message(`${n}`)]);
    for (let n = 0; n < 150; n += 1) {
      await vi.advanceTimersByTimeAsync(overdueMs);
      await turn();
    }
    expect(batches).toHaveLength(256);
    await letGo();
    await turn();
    expect(batches).toHaveLength(257);
  });

  it('holds the next batch back for as long as it takes where nothing says what is overdue', async () => {
    const { journal, batches } = heldJournal();
    const batched = withBatch(journal, { ...options, batchMaxCount: 1 });
    for (const id of ['a', 'b', 'c']) void batched.append([message(id)]);
    await turn();
    await turn();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(batches).toEqual([['a'], ['b']]);
  });

  it('lets the others try when one batch fails at once', async () => {
    let failures = 2;
    const { journal, letGo } = heldJournal(() =>
      (failures -= 1) >= 0 ? new MlogError('unavailable', 'reset') : undefined,
    );
    const batched = withBatch(journal, { ...options, batchMaxCount: 1 });
    const outcomes = Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((id) => batched.append([message(id)])),
    );
    await turn();
    await turn();
    for (let count = 0; count < 4; count += 1) await letGo();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
  });
});

/** Waits for the end of the turn, when gathered messages are sent. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
