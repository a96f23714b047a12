import { describe, expect, it, vi } from 'vitest';
import { MlogError, type Code } from '../../../src/errors.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { withRetry } from '../../../src/journal/wrap/retry.ts';
import { openMemoryJournal } from '../../../src/store/memory.ts';
import { message } from '../../contract/journal-contract.ts';

/** A journal that stores, and then fails the first calls as if their replies were lost. */
function lossyJournal(...failures: Code[]): Journal & { calls: string[] } {
  const memory = openMemoryJournal();
  const calls: string[] = [];
  return {
    ...memory,
    calls,
    async append(messages) {
      calls.push(messages[0]!.id);
      const results = await memory.append(messages);
      const failure = failures.shift();
      if (failure) throw new MlogError(failure, 'The reply was lost.');
      return results;
    },
  };
}

const options = { attemptsMax: 3, retryDelayMs: 2_000 };

describe('withRetry', () => {
  it('takes the duplicate of a message whose first reply was lost as success', async () => {
    vi.useFakeTimers();
    const journal = lossyJournal('unavailable');
    const append = withRetry(journal, options).append([message('a')]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await append).toEqual([{ id: 'a', seq: 1, status: 'duplicate' }]);
    vi.useRealTimers();
  });

  it('tries three times, two seconds apart, under the same id, then says it does not know', async () => {
    vi.useFakeTimers();
    const failed: [number, number][] = [];
    const start = Date.now();
    const journal = lossyJournal('unavailable', 'deadline_exceeded', 'overloaded');
    const append = withRetry(journal, {
      ...options,
      onFailedAppend: (_, attempt) => failed.push([attempt, Date.now() - start]),
    }).append([message('a')]);
    const outcome = expect(append).rejects.toMatchObject({ code: 'outcome_unknown' });
    await vi.runAllTimersAsync();
    await outcome;
    expect(journal.calls).toEqual(['a', 'a', 'a']);
    expect(failed).toEqual([
      [1, 0],
      [2, 2_000],
      [3, 4_000],
    ]);
    vi.useRealTimers();
  });

  it('takes a refusal behind a lost reply for what it is: no word on the first attempt', async () => {
    const journal = lossyJournal('unavailable', 'too_large');
    const append = withRetry(journal, { ...options, retryDelayMs: 1 }).append([message('a')]);
    await expect(append).rejects.toMatchObject({
      code: 'outcome_unknown',
      message: expect.stringMatching(/^2 attempts failed\./) as string,
    });
    expect(journal.calls).toHaveLength(2);
  });

  it.each([
    [[false, true, false], /^2 attempts failed\. /],
    [[true, false, true], /^One attempt failed\. /],
    [[true, true, true], /^3 attempts to reach the service failed\. /],
  ])('tells as attempts only those that were sent (unsent: %j)', async (unsent, told) => {
    const left = [...unsent];
    const journal: Journal = {
      ...openMemoryJournal(),
      append: () =>
        Promise.reject(new MlogError('unavailable', 'Lost.', { isUnsent: left.shift()! })),
    };
    const append = withRetry(journal, { ...options, retryDelayMs: 1 }).append([message('a')]);
    await expect(append).rejects.toMatchObject({
      code: 'outcome_unknown',
      message: expect.stringMatching(told) as string,
    });
  });

  it('names the messages of each attempt that failed', async () => {
    const failed: string[] = [];
    const journal = lossyJournal('unavailable');
    await withRetry(journal, {
      ...options,
      retryDelayMs: 1,
      onFailedAppend: (_, attempt, messages) =>
        failed.push(`${attempt} ${messages.map(({ id }) => id).join()}`),
    }).append([message('a'), message('b')]);
    expect(failed).toEqual(['1 a,b']);
  });

  it('tries nothing again once the process stops, and says that it does not know', async () => {
    const stop = new AbortController();
    const journal = lossyJournal('unavailable', 'unavailable');
    const append = withRetry(journal, {
      ...options,
      stopping: stop.signal,
      onFailedAppend: () => setImmediate(() => stop.abort()),
    }).append([message('a')]);
    await expect(append).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(journal.calls).toHaveLength(1);
  });

  it.each(['invalid_argument', 'too_large', 'conflict', 'closed', 'internal'] as const)(
    'does not try again after %s',
    async (code) => {
      const journal = lossyJournal(code);
      await expect(withRetry(journal, options).append([message('a')])).rejects.toMatchObject({
        code,
      });
      expect(journal.calls).toHaveLength(1);
    },
  );
});
