import { beforeEach, describe, expect, it } from 'vitest';
import { MlogError } from '../../../src/errors.ts';
import { createDetectedJournal } from '../../../src/journal/remote/detected.ts';
import type { Journal } from '../../../src/journal/journal.ts';
import { createReferenceJournal } from '../../../src/journal/remote/reference.ts';
import { openMemoryJournal } from '../../../src/store/memory.ts';
import { message } from '../../contract/journal-contract.ts';

describe('a journal whose service is found out', () => {
  let asked: number;
  let failures: MlogError[];
  let isReference: boolean;
  let journal: Journal;

  beforeEach(() => {
    asked = 0;
    failures = [];
    isReference = false;
    const memory = openMemoryJournal();
    const misfit = new MlogError('unavailable', 'Not mlog.', { isUnexpected: true });
    const mlog: Journal = {
      ...memory,
      append(messages) {
        const failure = isReference ? misfit : failures.shift();
        return failure ? Promise.reject(failure) : memory.append(messages);
      },
    };
    const reference = createReferenceJournal({
      url: 'x',
      appendOne: async (one) => (await memory.append([one]))[0]!,
      close: () => Promise.resolve(),
    });
    const find = () => {
      asked += 1;
      const failure = failures.shift();
      return failure ? Promise.reject(failure) : Promise.resolve(isReference ? reference : mlog);
    };
    journal = createDetectedJournal(find, () => memory.close());
    return () => journal.close();
  });

  it.each(['unavailable', 'deadline_exceeded', 'overloaded', 'too_large'] as const)(
    'is not asked again after %s',
    async (code) => {
      await journal.append([message('a')]);
      failures = [new MlogError(code, 'Lost.')];
      await expect(journal.append([message('b')])).rejects.toMatchObject({ code });
      await journal.append([message('b')]);
      expect(asked).toBe(1);
    },
  );

  it('is asked again when an answer does not fit, and the append goes through all the same', async () => {
    await journal.append([message('a')]);
    isReference = true;
    expect(await journal.append([message('b')])).toMatchObject([{ id: 'b', status: 'logged' }]);
    expect(asked).toBe(2);
    isReference = false;
    expect(await journal.head()).toMatchObject({ lastSeq: 2 });
    expect(asked).toBe(3);
  });

  it('throws what does not fit where the service is what it was', async () => {
    await journal.append([message('a')]);
    const misfit = new MlogError('unavailable', 'Strange.', { isUnexpected: true });
    failures = [misfit];
    await expect(journal.append([message('b')])).rejects.toBe(misfit);
    expect(asked).toBe(2);
  });

  it('tells as not sent what failed while the service was asked, and asks again', async () => {
    failures = [new MlogError('unavailable', 'Reset.')];
    await expect(journal.append([message('a')])).rejects.toMatchObject({
      code: 'unavailable',
      isUnsent: true,
    });
    await journal.append([message('a')]);
    expect(asked).toBe(2);
  });

  it('tells whether the service takes many messages at a time, once that is known', async () => {
    failures = [new MlogError('unavailable', 'Reset.')];
    await expect(journal.takesMany?.()).rejects.toMatchObject({ isUnsent: true });
    expect(await journal.takesMany?.()).toBe(true);
    expect(journal.takesMany?.()).toBe(true);
    isReference = true;
    await journal.append([message('b')]);
    expect(journal.takesMany?.()).toBe(false);
  });
});
