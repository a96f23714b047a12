import { pino } from 'pino';
import { expect, it } from 'vitest';
import { runUntilStopped } from '../src/lifecycle.ts';

const options = {
  failed: new Promise<never>(() => {}),
  shutdownTimeoutMs: 5_000,
  logger: pino({ enabled: false }),
};

it('hears a signal that comes while it starts, and stops what was started', async () => {
  const steps: string[] = [];
  await runUntilStopped({
    ...options,
    async start() {
      steps.push('start');
      process.emit('SIGTERM', 'SIGTERM');
      await Promise.resolve();
      steps.push('started');
      return {
        close() {
          steps.push('stop');
          return Promise.resolve();
        },
      };
    },
  });
  expect(steps).toEqual(['start', 'started', 'stop']);
});

it('throws what failed at the start', async () => {
  const error = new Error('The port is in use.');
  const run = runUntilStopped({ ...options, start: () => Promise.reject(error) });
  await expect(run).rejects.toBe(error);
});
