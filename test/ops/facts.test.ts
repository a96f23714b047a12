import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { gatherFacts, toReason } from '../../src/ops/facts.ts';

const works = () => Promise.resolve('fine');
const fails = (reason: string) => () => Promise.reject(new Error(reason));
const head = () => Promise.resolve({ journal: 'j', firstSeq: 1, lastSeq: 7 });

describe('the facts of a role', () => {
  it('name its version, its newest message, its lag and each dependency', async () => {
    const lag = () => Promise.resolve(2);
    const facts = await gatherFacts({ role: 'messages', checks: { store: works }, head, lag });
    expect(facts).toEqual({
      role: 'messages',
      version: manifest.version,
      lastSeq: 7,
      lag: 2,
      dependencies: { store: 'ok' },
      isReady: true,
    });
    expect(toReason(facts)).toBe('');
  });

  it('tell of each dependency that fails, and nothing of what cannot be asked', async () => {
    const checks = { store: fails('The disk is gone.'), other: works, replica: fails('Lost.') };
    const facts = await gatherFacts({
      role: 'messages',
      checks,
      head: fails('No.'),
      lag: fails(''),
    });
    expect(facts).toMatchObject({ isReady: false, lastSeq: undefined, lag: undefined });
    expect(toReason(facts)).toBe('store: The disk is gone. replica: Lost.');
  });
});
