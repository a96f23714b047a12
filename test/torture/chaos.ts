import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../support/http.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import { readEntries, startWriters, type StoredEntry } from '../support/writers.ts';
import { noDedup } from './controls.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Scene, type Server } from './scene.ts';

const writersCount = 32;
const progressTimeoutMs = 60_000;

const run = async ({ build, form, random, minutes, pick }: Scale): Promise<Outcome> => {
  const untilMs = performance.now() + (form === 'control' ? 8000 : minutes * 60_000);
  const killEveryMs = pick({ short: 5000, full: 20_000, control: 4000 });
  const pauseMaxMs = pick({ short: 2000, full: 10_000, control: 1000 });
  // A control is caught sooner by a network that loses more and does not hold things up.
  const lossProbability = pick({ short: 0.05, full: 0.05, control: 0.3 });
  const delayMaxMs = pick({ short: 3000, full: 3000, control: 100 });
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

    const pauseNow = async (): Promise<void> => {
      while (!isOver()) {
        const proxy = random.pick([services.entrance, services.passage]);
        proxy.faults.paused = true;
        await sleep(random.whole(Math.min(1000, pauseMaxMs / 2), pauseMaxMs));
        proxy.faults.paused = false;
        tally.did('pauses');
        await sleep(random.whole(1000, 10_000));
      }
    };
    const delayNow = async (): Promise<void> => {
      while (!isOver()) {
        for (const { faults } of [services.entrance, services.passage]) {
          // Were it 3 s all the time, hardly anything would happen to what is between.
          faults.delayMs = random.chance(0.5) ? random.whole(0, 20) : random.whole(0, delayMaxMs);
        }
        await sleep(random.whole(200, 2000));
      }
    };
    const killNow = async (): Promise<void> => {
      while (!isOver()) {
        await sleep(killEveryMs);
        const role = random.pick(['facade', 'logging', 'messages'] as const);
        await services[role].kill();
        tally.did('kills');
        services[role] = await services[role].again();
        await services[role].ready;
      }
    };
    const seen: StoredEntry[] = [];
    await Promise.all([pauseNow(), delayNow(), killNow(), follow(services, seen, isOver)]);
    await calmDown(services, writers.progress);
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

type Services = {
  logging: Server;
  facade: Server;
  messages: Server;
  /** Between the writers and the facade. */
  entrance: Proxy;
  /** Between the facade and the logging service. */
  passage: Proxy;
};

const serveThroughChaos = async (scene: Scene, isLost: () => boolean): Promise<Services> => {
  const faults = { dropReply: isLost, resetConnection: isLost };
  const logging = await scene.serve('logging');
  const messages = await scene.serve('messages');
  const passage = await startProxy(logging.logging, faults);
  scene.defer(passage.close);
  const below = ['--logging', passage.url, '--messages', messages.messages];
  const facade = await scene.serve('facade', { args: below });
  const entrance = await startProxy(facade.facade, faults);
  scene.defer(entrance.close);
  return { logging, facade, messages, entrance, passage };
};

/** Reads on from its position: what it has read is durable and is in its place for ever. */
const follow = async (
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

/** Mends the network and waits until messages get through again. */
const calmDown = async (
  { entrance, passage }: Services,
  progress: (more: number) => Promise<void>,
): Promise<void> => {
  for (const { faults } of [entrance, passage]) {
    Object.assign(faults, { delayMs: 0, paused: false });
    faults.dropReply = () => false;
    faults.resetConnection = () => false;
  }
  const deadline = performance.now() + progressTimeoutMs;
  // An attempt that began in the chaos may take its whole time.
  while (
    !(await progress(writersCount).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > deadline) throw new Error('Nothing gets through after the chaos');
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
