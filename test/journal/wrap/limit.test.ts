import { describe, expect, it } from 'vitest';
import type { AppendResult, Journal } from '../../../src/journal/journal.ts';
import { withLimit } from '../../../src/journal/wrap/limit.ts';
import { openMemoryJournal } from '../../../src/store/memory.ts';
import { message } from '../../contract/journal-contract.ts';

describe('withLimit', () => {
  it('refuses at once what is beyond the count, and takes more when some is done', async () => {
    const { journal, letGo } = stuckJournal();
    const limited = withLimit(journal, { queueMaxCount: 3, queueMaxBytes: 1_000 });
    const taken = limited.append([message('a'), message('b')]);
    await expect(limited.append([message('c'), message('d')])).rejects.toMatchObject({
      code: 'overloaded',
    });
    const fits = limited.append([message('e')]);
    letGo();
    await Promise.all([taken, fits]);
    await expect(limited.append([message('c'), message('d')])).resolves.toHaveLength(2);
    expect(await limited.head()).toMatchObject({ firstSeq: 1, lastSeq: 5 });
  });

  it('counts bytes, and takes a lone append of any size', async () => {
    const { journal, letGo } = stuckJournal();
    const limited = withLimit(journal, { queueMaxCount: 3, queueMaxBytes: 1_000 });
    const large = limited.append([{ id: 'large', txt: 'x'.repeat(5_000) }]);
    await expect(limited.append([message('a')])).rejects.toMatchObject({ code: 'overloaded' });
    letGo();
    await large;
    await expect(limited.append([message('a')])).resolves.toHaveLength(1);
  });
});

/** A memory journal whose appends wait until it is released. */
function stuckJournal(): { journal: Journal; letGo: () => void } {
  const memory = openMemoryJournal();
  let letGo = () => {};
  const free = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const append = async (messages: Parameters<Journal['append']>[0]): Promise<AppendResult[]> => {
    await free;
    return await memory.append(messages);
  };
  return { journal: { ...memory, append }, letGo };
}
