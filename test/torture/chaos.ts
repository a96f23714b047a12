import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../support/http.ts';
import { readEntries, startWriters, type StoredEntry } from '../support/writers.ts';
import type { Patch } from './build.ts';
import { noDedup } from './controls.ts';
import {
  calmDown,
  disturb,
  hasty,
  type Services,
  serveThroughChaos,
  type Wire,
} from './disturbance.ts';
import { joinLedgers, journalFaults, judge } from './ledger.ts';
import { createTally, type Proof } from './proof.ts';
import { inScene } from './scene.ts';

const writersCount = 32;

/** Runs with one facade per wire, all at once and over the same journal. */
const runOver =
  (wires: readonly Wire[]): Proof['run'] =>
  async (scale) => {
    const { build, form, random, minutes, pick } = scale;
    const untilMs = performance.now() + (form === 'control' ? 5000 : minutes * 60_000);
    // A network that loses more and delays less catches a control sooner.
    const lossProbability = pick({ short: 0.05, full: 0.05, control: 0.1 });
    const severity = {
      killEveryMs: pick({ short: 5000, full: 20_000, control: 2000 }),
      killed: ['facade', 'logging', 'messages'] as const,
      pauseMaxMs: pick({ short: 2000, full: 10_000, control: 500 }),
      calmMaxMs: pick({ short: 10_000, full: 10_000, control: 2000 }),
      delayMaxMs: pick({ short: 3000, full: 3000, control: 20 }),
    };
    const facadeArgs = form === 'control' ? hasty : [];
    const tally = createTally(
      ['seconds', 'kills', 'pauses', 'attempted', 'acknowledged', 'of these over gRPC', 'stored'],
      [...journalFaults, 'read and gone'],
    );
    await inScene(build, async (scene) => {
      const isLost = () => random.chance(lossProbability);
      const services = await serveThroughChaos(scene, isLost, { wires, facadeArgs });
      const crowds = services.ways.map(({ entrance }) =>
        startWriters(entrance.url, writersCount / wires.length),
      );
      for (const { stop } of crowds) scene.defer(stop);
      const began = performance.now();
      const isOver = () => performance.now() > untilMs;

      const seen: StoredEntry[] = [];
      await Promise.all([
        disturb(services, severity, { random, isOver, did: tally.did }),
        readOn(services, seen, isOver),
      ]);
      const progressOfEach = async (more: number): Promise<void> => {
        await Promise.all(crowds.map(({ progress }) => progress(more)));
      };
      await calmDown(services, progressOfEach, writersCount);
      await Promise.all(crowds.map(({ stop }) => stop()));

      const entries = await readEntries(services.logging.logging);
      const ledger = joinLedgers(crowds);
      tally.did('seconds', Math.round((performance.now() - began) / 1000));
      tally.did('attempted', ledger.attempted.size);
      tally.did('acknowledged', ledger.acknowledged.size);
      tally.did('of these over gRPC', crowds[wires.indexOf('gRPC')]?.acknowledged.size ?? 0);
      tally.did('stored', entries.length);
      judge(tally, entries, ledger);
      for (const [index, { id }] of seen.entries()) {
        if (entries[index]?.id !== id) tally.found('read and gone', id);
      }
    });
    return tally.outcome();
  };

/** Reads on from a position. What was read is durable and stays in its place. */
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

const brokenStreamIsSuccess: readonly Patch[] = [
  {
    find: 'reject(this.#errorOf(group, error));',
    replace: `const { messages, resolve } = this.#waiting.get(group);
          resolve(messages.map(({ id }) => ({ id, status: 'logged', seq: 1 })));`,
  },
];

/** Whatever the network and the processes do, one id is one message, and 2xx is durable. */
export const proof: Proof = {
  name: 'P7',
  promise: 'Chaos',
  crashModel:
    'process killed; network with 5 % drops, 5 % resets, 0 to 3 s delays, pauses of 1 to 10 s; facades over HTTP and over gRPC, side by side',
  target: '0 lost, 0 doubled, 0 phantom in 30 min, a kill every 20 s',
  needs: [],
  run: runOver(['HTTP', 'gRPC']),
  controls: [
    { name: 'dedup off, over HTTP', catches: 'doubled', patches: noDedup, run: runOver(['HTTP']) },
    { name: 'dedup off, over gRPC', catches: 'doubled', patches: noDedup, run: runOver(['gRPC']) },
    {
      name: 'an interrupted gRPC stream is a success',
      catches: 'lost',
      patches: brokenStreamIsSuccess,
    },
  ],
};
