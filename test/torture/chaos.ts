import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../support/http.ts';
import { readEntries, startWriters, type StoredEntry } from '../support/writers.ts';
import { noDedup } from './controls.ts';
import { calmDown, disturb, type Services, serveThroughChaos } from './disturbance.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene } from './scene.ts';

const writersCount = 32;

const run = async ({ build, form, random, minutes, pick }: Scale): Promise<Outcome> => {
  const untilMs = performance.now() + (form === 'control' ? 8000 : minutes * 60_000);
  // A control is caught sooner by a network that loses more and does not hold things up.
  const lossProbability = pick({ short: 0.05, full: 0.05, control: 0.3 });
  const severity = {
    killEveryMs: pick({ short: 5000, full: 20_000, control: 4000 }),
    killed: ['facade', 'logging', 'messages'] as const,
    pauseMaxMs: pick({ short: 2000, full: 10_000, control: 1000 }),
    calmMaxMs: 10_000,
    delayMaxMs: pick({ short: 3000, full: 3000, control: 100 }),
  };
  const tally = createTally(
    ['seconds', 'kills', 'pauses', 'attempted', 'acknowledged', 'stored'],
    [...journalFaults, 'read and gone'],
  );
  await inScene(build, async (scene) => {
    const services = await serveThroughChaos(scene, () => random.chance(lossProbability));
    const writers = startWriters(services.entrance.url, writersCount);
    scene.defer(writers.stop);
    const began = performance.now();
    const isOver = () => performance.now() > untilMs;

    const seen: StoredEntry[] = [];
    await Promise.all([
      disturb(services, severity, { random, isOver, did: tally.did }),
      readOn(services, seen, isOver),
    ]);
    await calmDown(services, writers.progress, writersCount);
    await writers.stop();

    const entries = await readEntries(services.logging.logging);
    tally.did('seconds', Math.round((performance.now() - began) / 1000));
    tally.did('attempted', writers.attempted.size);
    tally.did('acknowledged', writers.acknowledged.size);
    tally.did('stored', entries.length);
    judge(tally, entries, writers);
    for (const [index, { id }] of seen.entries()) {
      if (entries[index]?.id !== id) tally.found('read and gone', id);
    }
  });
  return tally.outcome();
};

/** Reads on from its position: what it has read is durable and is in its place for ever. */
const readOn = async (
  { logging }: Services,
  seen: StoredEntry[],
  isOver: () => boolean,
): Promise<void> => {
  const headers = { accept: 'application/x-ndjson' };
  while (!isOver()) {
    const url = `${logging.logging}/logging?after=${seen.length}`;
    const lines = await request(url, { headers }).then(
      ({ status, text }) => (status === 200 ? text.split('\n').filter(Boolean) : []),
      () => [],
    );
    for (const line of lines) seen.push(JSON.parse(line) as StoredEntry);
    await sleep(100);
  }
};

/** Whatever the network and the processes do, one id is one message, and 2xx is durable. */
export const proof: Proof = {
  name: 'P7',
  promise: 'Chaos',
  crashModel:
    'process killed; network with 5 % drops, 5 % resets, 0 to 3 s delays, pauses of 1 to 10 s',
  target: '0 lost, 0 doubled, 0 phantom in 30 min, a kill every 20 s',
  needs: [],
  run,
  controls: [{ name: 'dedup off', catches: 'doubled', patches: noDedup }],
};
