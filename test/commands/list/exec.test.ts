import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { createEntryRunner } from '../../../src/commands/list/exec.ts';

// What Node returns without free descriptors: a child without stdin, and the error.
vi.mock('node:child_process', () => ({
  spawn: () => {
    const child = new EventEmitter();
    const error = Object.assign(new Error('spawn /bin/sh EMFILE'), { code: 'EMFILE' });
    process.nextTick(() => child.emit('error', error));
    return child;
  },
}));

it('a command that cannot be started for want of descriptors has failed for its entry', async () => {
  const kept: number[] = [];
  const runner = createEntryRunner({ command: 'true', attemptsMax: 1 }, (seq) => kept.push(seq));
  const entry = { seq: 7, id: 'a', txt: 'b', at: '2026-01-01T00:00:00.000Z' };
  await expect(runner.take([entry])).rejects.toMatchObject({
    code: 'failed_precondition',
    message: 'The command of --exec could not be started: spawn /bin/sh EMFILE for entry 7.',
  });
  expect(kept).toEqual([]);
});
