import { beforeEach, describe, expect, it } from 'vitest';
import { MlogError } from '../../../src/errors.ts';
import type { AppendResult, Journal } from '../../../src/journal/journal.ts';
import type { Message } from '../../../src/message.ts';
import { sendLines } from '../../../src/roles/facade/bulk.ts';
import { createFacadeService } from '../../../src/roles/facade/service.ts';
import { openMemoryJournal } from '../../../src/store/memory.ts';

const limits = {
  batchMaxCount: 4,
  batchMaxBytes: 10_000,
  lineMaxLength: 1_000,
  isOrderStrict: false,
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Returns lines with the ids of a range. */
const linesOf = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => JSON.stringify({ id: `${from + n}`, txt: 'x' }));

describe('sendLines', () => {
  /** The ids of each append, in order. */
  let groups: string[][];
  let letGo: (() => void)[];

  beforeEach(() => {
    groups = [];
    letGo = [];
  });

  /** A service over a journal that records appends, and delays the answers if told so. */
  function serviceOf(isHeld = false) {
    const memory = openMemoryJournal();
    const journal: Journal = {
      ...memory,
      async append(messages: readonly Message[]): Promise<AppendResult[]> {
        groups.push(messages.map(({ id }) => id));
        if (isHeld) await new Promise<void>((resolve) => letGo.push(resolve));
        return await memory.append(messages);
      },
    };
    return createFacadeService(journal, { txtMaxBytes: 1_000 });
  }

  async function idsOf(answers: AsyncIterable<string>): Promise<string[]> {
    const ids: string[] = [];
    for await (const text of answers) {
      const lines = text.trimEnd().split('\n');
      ids.push(...lines.map((line) => (JSON.parse(line) as { id: string }).id));
    }
    return ids;
  }

  it('fills its groups across the pieces in which lines come', async () => {
    // eslint-disable-next-line typescript/require-await
    const pieces = async function* () {
      for (const from of [1, 4, 7, 10]) yield linesOf(from, from + 2);
    };
    const ids = await idsOf(sendLines(pieces(), serviceOf(), limits));
    expect(groups.map(({ length }) => length)).toEqual([4, 4, 4]);
    expect(ids).toEqual(groups.flat());
    expect(ids).toEqual(Array.from({ length: 12 }, (_, n) => `${n + 1}`));
  });

  it('sends what is there when nothing more comes', async () => {
    const pieces = async function* () {
      for (const at of [1, 2, 3]) {
        yield linesOf(at, at);
        await expect.poll(() => groups.length).toBe(at);
      }
    };
    expect(await idsOf(sendLines(pieces(), serviceOf(), limits))).toEqual(['1', '2', '3']);
    expect(groups).toEqual([['1'], ['2'], ['3']]);
  });

  it('has one group under way and one at hand, and reads no further', async () => {
    let read = 0;
    // eslint-disable-next-line typescript/require-await
    const pieces = async function* () {
      for (; read < 10; read += 1) yield linesOf(4 * read + 1, 4 * read + 4);
    };
    const answers = sendLines(pieces(), serviceOf(true), limits);
    const first = answers.next();
    for (let count = 0; count < 5; count += 1) await turn();
    expect(groups).toEqual([['1', '2', '3', '4']]);
    expect(read).toBe(1);
    letGo.shift()!();
    await first;
    const second = answers.next();
    for (let count = 0; count < 5; count += 1) await turn();
    expect(groups).toHaveLength(2);
    expect(read).toBe(2);
    letGo.shift()!();
    await second;
    await answers.return(undefined);
  });

  it('answers what is under way before it tells that its sender is gone', async () => {
    // eslint-disable-next-line typescript/require-await
    const pieces = async function* () {
      yield linesOf(1, 4);
      throw new MlogError('cancelled', 'The client went away.');
    };
    const answers = sendLines(pieces(), serviceOf(), limits);
    expect((await answers.next()).value).toContain('"id":"4"');
    await expect(answers.next()).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('answers the whole lines that came before their end was cut off', async () => {
    // eslint-disable-next-line typescript/require-await
    const pieces = async function* () {
      yield linesOf(1, 2);
      throw new MlogError('unavailable', 'The service is stopping.');
    };
    const answers = sendLines(pieces(), serviceOf(), limits);
    expect((await answers.next()).value).toContain('"id":"2"');
    await expect(answers.next()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([
    [true, ['1', '5'], 'unknown'],
    [false, ['1', '5', '9'], 'logged'],
  ])(
    'with strict order %s sends the groups that begin with %j',
    async (isOrderStrict, firsts, last) => {
      // eslint-disable-next-line typescript/require-await
      const pieces = async function* () {
        for (const from of [1, 5, 9]) yield linesOf(from, from + 3);
      };
      const memory = openMemoryJournal();
      const append: Journal['append'] = async (messages) => {
        groups.push(messages.map(({ id }) => id));
        if (messages[0]!.id === '5') throw new MlogError('outcome_unknown', 'No reply.');
        return await memory.append(messages);
      };
      const service = createFacadeService({ ...memory, append }, { txtMaxBytes: 1_000 });
      const statuses: string[] = [];
      for await (const text of sendLines(pieces(), service, { ...limits, isOrderStrict })) {
        const answers = text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as object);
        statuses.push(...answers.map((answer) => (answer as { status: string }).status));
      }
      expect(groups.map(([id]) => id)).toEqual(firsts);
      expect(statuses.slice(4)).toEqual([
        ...Array.from({ length: 4 }, () => 'unknown'),
        ...Array.from({ length: 4 }, () => last),
      ]);
    },
  );

  it('lets go of its source when nobody wants more answers', async () => {
    let isLeft = false;
    // eslint-disable-next-line typescript/require-await
    const pieces = async function* () {
      try {
        for (let at = 0; ; at += 1) yield linesOf(4 * at + 1, 4 * at + 4);
      } finally {
        isLeft = true;
      }
    };
    for await (const _ of sendLines(pieces(), serviceOf(), limits)) break;
    await expect.poll(() => isLeft).toBe(true);
  });
});
