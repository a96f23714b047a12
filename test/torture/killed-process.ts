import { setTimeout as sleep } from 'node:timers/promises';
import { readEntries, startWriters } from '../support/writers.ts';
import { lateCommit } from './controls.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { openScene, type Scene, type Server } from './scene.ts';

const writersCount = 16;

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  // Each kill of a control misses the 50 ms before a commit by chance, and a killed facade always does.
  const kills = pick({ short: 40, full: 200, control: 16 });
  const tally = createTally(['kills', 'attempted', 'acknowledged', 'stored'], journalFaults);
  const scene = await openScene(build);
  try {
    let { logging, facade } = await serveApart(scene);
    const writers = startWriters(facade.facade, writersCount);
    scene.defer(writers.stop);

    /** Kills a server and starts it again, sometimes killing it once more before it is ready. */
    const killOne = async (server: Server): Promise<Server> => {
      await server.kill();
      done += 1;
      const next = await server.again();
      if (!random.chance(0.2)) return next;
      await sleep(random.whole(0, 300));
      return await killOne(next);
    };

    let done = 0;
    while (done < kills) {
      await writers.progress(random.whole(1, 200));
      await sleep(random.whole(0, 20));
      const target = random.pick(['facade', 'logging', 'both']);
      const [nextFacade, nextLogging] = await Promise.all([
        target === 'logging' ? facade : killOne(facade),
        target === 'facade' ? logging : killOne(logging),
      ]);
      facade = nextFacade;
      logging = nextLogging;
      await Promise.all([facade.ready, logging.ready]);
    }
    await writers.progress(writersCount);
    await writers.stop();

    const entries = await readEntries(logging.logging);
    tally.did('kills', done);
    tally.did('attempted', writers.attempted.size);
    tally.did('acknowledged', writers.acknowledged.size);
    tally.did('stored', entries.length);
    judge(tally, entries, writers);
    return tally.outcome();
  } finally {
    await scene.close();
  }
};

const serveApart = async (scene: Scene): Promise<{ logging: Server; facade: Server }> => {
  const logging = await scene.serve('logging');
  const below = ['--logging', logging.logging, '--retry-delay-ms', '100'];
  const facade = await scene.serve('facade', { args: [...below, '--attempt-timeout-ms', '2000'] });
  return { logging, facade };
};

/** A killed process loses nothing that it has acknowledged. */
export const proof: Proof = {
  name: 'P1',
  promise: 'A 2xx survives a killed process',
  crashModel: 'process killed',
  target: '0 lost, 0 doubled, 0 altered in 200 kills',
  needs: [],
  run,
  controls: [
    {
      name: 'acknowledged up to 50 ms before the commit',
      catches: 'lost',
      patches: lateCommit(50),
    },
  ],
};
