import { join } from 'node:path';
import { atOnce, openClients, types, upTo } from './clients.ts';
import { lateCommit, normalSync } from './controls.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene } from './scene.ts';
import { traceWrites } from './strace.ts';
import { readSyncTrace, traceableId } from './sync-trace.ts';

const concurrencies = [1, 16, 256];

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const count = pick({ short: 500, full: 5000, control: 50 });
  const tally = createTally(['messages', 'replies traced'], ['unsynced', 'refused', 'untraced']);
  for (const concurrency of concurrencies) {
    await inScene(build, async (scene) => {
      const trace = join(scene.folder, 'trace');
      const server = await scene.serve('logging', { through: traceWrites(trace) });
      const clients = openClients(concurrency);
      scene.defer(clients.close);

      let replies = 0;
      const send = async (n: number): Promise<void> => {
        const body = JSON.stringify({ id: traceableId('message', n), txt: `of ${n}` });
        const type = n % 2 === 0 ? types.json : types.ndjson;
        const { status, text } = await clients.post(`${server.logging}/logging`, { type, body });
        replies += 1;
        if (status !== 200 && status !== 201) tally.found('refused', `${status} ${text}`);
      };
      await atOnce(concurrency, upTo(count), async (n) => {
        // A repeat right after its first copy is answered no earlier than that one.
        const repeats = random.chance(0.1) ? [n, n] : [n];
        await Promise.all(repeats.map(send));
      });
      await server.kill();

      const traced = await readSyncTrace(trace);
      tally.did('messages', count);
      tally.did('replies traced', traced.replies);
      for (const id of traced.unsynced) tally.found('unsynced', `${id} at ${concurrency}`);
      // A trace that shows nothing must not pass for one without faults.
      if (traced.replies !== replies) tally.found('untraced', `${traced.replies} of ${replies}`);
    });
  }
  return tally.outcome();
};

/** The system calls themselves: write, sync, and only then the reply. */
export const proof: Proof = {
  name: 'P3',
  promise: 'No acknowledgement before its sync',
  crashModel: 'none: the order of system calls',
  target: '0 violations in 5,000 at concurrency 1, 16, 256',
  needs: ['strace'],
  run,
  controls: [
    { name: 'synchronous=NORMAL', catches: 'unsynced', patches: normalSync },
    { name: 'acknowledged 5 ms before the commit', catches: 'unsynced', patches: lateCommit(5) },
  ],
};
