import { describe, expect, it } from 'vitest';
import { heldMaxBytes, holdAnswers } from '../../../src/roles/facade/held-answers.ts';

const kilobyte = `${'x'.repeat(1_023)}\n`;
const lastAnswer = (): string => 'not taken';
const fits = heldMaxBytes / kilobyte.length;

describe('answers that wait for their reader', () => {
  let made: number;
  let isLeft: boolean;

  /** Yields this many answers of a kilobyte, and then optionally a failure. */
  async function* answersOf(count: number, failure?: Error): AsyncGenerator<string> {
    made = 0;
    isLeft = false;
    try {
      while (made < count) {
        made += 1;
        if (made % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield kilobyte;
      }
      if (failure) throw failure;
    } finally {
      isLeft = true;
    }
  }

  it('are made up to the bound while nobody reads, and all come', async () => {
    const count = fits - 10;
    const held = holdAnswers(answersOf(count), { patienceMs: 20, lastAnswer });
    const answers = [(await held.next()).value];
    await expect.poll(() => isLeft).toBe(true);
    for await (const answer of held) answers.push(answer);
    expect(answers).toHaveLength(count);
    expect(answers.at(-1)).toBe(kilobyte);
  });

  it('end, and tell so, where nobody reads beyond the bound', async () => {
    const held = holdAnswers(answersOf(10 * fits), { patienceMs: 20, lastAnswer });
    const answers = [(await held.next()).value];
    await expect.poll(() => isLeft).toBe(true);
    for await (const answer of held) answers.push(answer);
    expect(answers).toHaveLength(fits + 3);
    expect(answers.at(-1)).toBe('not taken');
    expect(made).toBe(fits + 2);
  });

  it('are made at the pace of a reader that is slow', async () => {
    const held = holdAnswers(answersOf(fits + 50), { patienceMs: 10_000, lastAnswer });
    let count = 0;
    for await (const answer of held) {
      expect(answer).toBe(kilobyte);
      count += 1;
      expect(made - count).toBeLessThanOrEqual(fits + 2);
    }
    expect(count).toBe(fits + 50);
  });

  it('come before the failure that ended them', async () => {
    const held = holdAnswers(answersOf(3, new Error('cut off')), { patienceMs: 20, lastAnswer });
    for (let count = 0; count < 3; count += 1) expect((await held.next()).value).toBe(kilobyte);
    await expect(held.next()).rejects.toThrow('cut off');
  });

  it('are made no more once their reader has gone', async () => {
    for await (const _ of holdAnswers(answersOf(Infinity), { patienceMs: 20, lastAnswer })) break;
    await expect.poll(() => isLeft).toBe(true);
  });
});
