import { setTimeout as sleep } from 'node:timers/promises';
import { type Follower, startFollower } from '../support/events.ts';
import { readEntries, startWriters, type StoredEntry } from '../support/writers.ts';
import { upTo } from './clients.ts';
import { lateCommit } from './controls.ts';
import { calmDown, disturb, hasty, serveThroughChaos, type Way } from './disturbance.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale, type Tally } from './proof.ts';
import { inScene } from './scene.ts';
import { swapFaults, swapJournal, unknownJournal } from './swapped-journal.ts';

const writersCount = 32;
const followersCount = 20;
/** Long enough to survive some kills, on a machine of any speed. */
const controlMs = 12_000;

const followFaults = [
  'gaps for a follower',
  'repeats',
  'phantoms',
  'altered for a follower',
  'left behind',
  'unexpected events',
] as const;

const run = async ({ build, form, random, minutes, pick }: Scale): Promise<Outcome> => {
  const untilMs = performance.now() + (form === 'control' ? controlMs : minutes * 60_000);
  const lossProbability = pick({ short: 0.05, full: 0.05, control: 0.1 });
  const severity = {
    killEveryMs: pick({ short: 4000, full: 20_000, control: 1000 }),
    killed: form === 'control' ? (['logging'] as const) : (['facade', 'logging'] as const),
    pauseMaxMs: pick({ short: 2000, full: 10_000, control: 200 }),
    calmMaxMs: pick({ short: 4000, full: 10_000, control: 1500 }),
    delayMaxMs: pick({ short: 3000, full: 3000, control: 20 }),
  };
  const leaveAfterMaxMs = pick({ short: 4000, full: 20_000, control: 1000 });
  const facadeArgs = form === 'control' ? hasty : [];
  const tally = createTally(
    [
      'seconds',
      'kills',
      'pauses',
      'followers',
      'connections',
      'entries followed',
      'stored',
      'swapped journals',
    ],
    [...journalFaults, ...followFaults, ...swapFaults],
  );
  await inScene(build, async (scene) => {
    const isLost = () => random.chance(lossProbability);
    const services = await serveThroughChaos(scene, isLost, { wires: ['HTTP'], facadeArgs });
    const way = services.ways[0]!;
    const writers = startWriters(way.entrance.url, writersCount);
    scene.defer(writers.stop);
    const followers = followBothWays(way);
    for (const { close } of followers) scene.defer(close);
    const began = performance.now();
    const isOver = () => performance.now() > untilMs;

    const leaveNow = async ({ leave }: Follower): Promise<void> => {
      while (!isOver()) {
        await sleep(random.whole(0, leaveAfterMaxMs));
        leave();
      }
    };
    await Promise.all([
      disturb(services, severity, { random, isOver, did: tally.did }),
      ...followers.map(leaveNow),
    ]);
    await calmDown(services, writers.progress, writersCount);
    await writers.stop();

    const entries = await readEntries(services.logging.logging);
    judge(tally, entries, writers);
    await Promise.all(
      followers.map(async (follower) => {
        await follower.reach(entries.length).catch((error: Error) => {
          tally.found('left behind', error.message);
        });
        await follower.close();
        judgeFollower(tally, follower, entries);
      }),
    );
    tally.did('seconds', Math.round((performance.now() - began) / 1000));
    tally.did('stored', entries.length);
  });
  await swapJournals({ build, pick }, tally);
  return tally.outcome();
};

const swapJournals = async (
  { build, pick }: Pick<Scale, 'build' | 'pick'>,
  tally: Parameters<typeof swapJournal>[2],
): Promise<void> => {
  const rounds = pick({ short: 2, full: 20, control: 1 });
  for (let round = 0; round < rounds; round += 1) {
    const signal = round % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
    await inScene(build, (scene) => swapJournal(scene, signal, tally));
  }
};

/** Runs only the part with replaced journals. */
const runSwaps: Proof['run'] = async (scale) => {
  const tally = createTally(['swapped journals'], swapFaults);
  await swapJournals(scale, tally);
  return tally.outcome();
};

/** Half of them follow the facade, half the logging service, with both ways to send a position. */
const followBothWays = ({ entrance, passage }: Way): Follower[] =>
  upTo(followersCount).map((n) => {
    const url = n % 2 === 0 ? entrance.url : `${passage.url}/logging`;
    return startFollower(url, n % 4 < 2 ? 'after' : 'Last-Event-ID');
  });

/** Compares what a follower received, in order, with what is stored. */
const judgeFollower = (
  tally: Tally<'followers' | 'connections' | 'entries followed', (typeof followFaults)[number]>,
  { entries: seen, oddities, connections }: Follower,
  stored: readonly StoredEntry[],
): void => {
  tally.did('followers');
  tally.did('connections', connections());
  tally.did('entries followed', seen.length);
  let lastSeq = 0;
  for (const { seq, id, txt, at } of seen) {
    if (seq <= lastSeq) tally.found('repeats', `seq ${seq} behind ${lastSeq}`);
    if (seq > lastSeq + 1) tally.found('gaps for a follower', `seq ${seq} behind ${lastSeq}`);
    lastSeq = seq;
    const entry = stored[seq - 1];
    if (entry?.id !== id) tally.found('phantoms', `seq ${seq}: ${id}, stored is ${entry?.id}`);
    else if (entry.txt !== txt || entry.at !== at) tally.found('altered for a follower', id);
  }
  for (const oddity of oddities) tally.found('unexpected events', oddity);
};

/**
 * Whatever the network and the processes do, a reader that keeps its position gets everything,
 * once.
 */
export const proof: Proof = {
  name: 'P14',
  promise: 'Followers: each entry once, in order, resumable, only durable ones',
  crashModel:
    'as P7 over HTTP alone, with kills of facade and logging; followers disconnect and resume by position; a longer journal replaces a followed one',
  target: '20 followers: 0 gaps, 0 repeats, 0 phantoms',
  needs: [],
  run,
  controls: [
    {
      name: 'entries are sent up to 200 ms before the commit',
      catches: 'phantoms',
      patches: lateCommit(200),
    },
    {
      name: 'an interrupted tail resumes at the head',
      catches: 'gaps for a follower',
      patches: [
        {
          find: 'const head = known ?? await place.confirm(journal);',
          // Delayed, so that something arrives meanwhile on a machine of any speed.
          replace: `if (!known) await new Promise((resolve) => setTimeout(resolve, 1000));
      const head = known ?? await journal.head();
      if (!known) place.seq = head.lastSeq;`,
        },
      ],
    },
    {
      name: 'a journal is recognized only by its length',
      catches: 'entries of another journal',
      patches: unknownJournal,
      run: runSwaps,
    },
    {
      name: 'the last event is repeated',
      catches: 'repeats',
      patches: [
        {
          find: 'return numberOf("Last-Event-ID", String(given));',
          replace: 'return Math.max(0, numberOf("Last-Event-ID", String(given)) - 1);',
        },
      ],
    },
  ],
};
