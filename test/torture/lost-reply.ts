import { readEntries } from '../support/writers.ts';
import { atOnce, openClients, types, upTo } from './clients.ts';
import { noDedup, queueFailsWithBatch } from './controls.ts';
import { journalFaults, judge } from './ledger.ts';
import { type Loss, startLosingProxy } from './losing-proxy.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Scene } from './scene.ts';

const clientsCount = 64;
// Some losses are prevented, since no message may lose all three attempts. 30 % remain.
const lossProbability = 0.34;

/** One way in which replies are lost. */
type Part = {
  loss: Loss;
  count: number;
  isLost: () => boolean;
  args: readonly string[];
};

// Small batches make many calls, and a short pause many attempts. There are still three per
// message.
const pace = ['--batch-max-count', '8', '--retry-delay-ms', '50'];

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const tally = createCounts();
  const parts: Part[] = [
    {
      loss: 'cut',
      count: pick({ short: 2000, full: 10_000, control: 200 }),
      isLost: () => random.chance(lossProbability),
      args: pace,
    },
    {
      loss: 'silent',
      count: pick({ short: 400, full: 5000, control: 300 }),
      isLost: everyThird(),
      // Long enough for a busy machine: a late reply that is not lost would be an honest failure.
      args: [...pace, '--attempt-timeout-ms', '3000'],
    },
  ];
  for (const part of parts) await inScene(build, (scene) => runPart(scene, part, tally));
  return tally.outcome();
};

const createCounts = () =>
  createTally(['sends', 'replies', 'replies lost', 'stored'], [...journalFaults, 'false failures']);

const everyThird = (): (() => boolean) => {
  let count = 0;
  return () => (count += 1) % 3 === 0;
};

const runPart = async (
  scene: Scene,
  { loss, count, isLost, args }: Part,
  tally: ReturnType<typeof createCounts>,
): Promise<void> => {
  const logging = await scene.serve('logging');
  const proxy = await startLosingProxy(logging.logging, isLost, loss);
  scene.defer(proxy.close);
  const facade = await scene.serve('facade', { args: ['--logging', proxy.url, ...args] });
  const clients = openClients(clientsCount);
  scene.defer(clients.close);

  const attempted = new Map<string, string>();
  const acknowledged = new Set<string>();
  await atOnce(clientsCount, upTo(count), async (n) => {
    const message = { id: `id-${n}`, txt: `the text of ${n}` };
    attempted.set(message.id, message.txt);
    const body = JSON.stringify(message);
    const { status, text } = await clients.post(facade.facade, { type: types.json, body });
    if (status === 200 && text === `${body}\n`) acknowledged.add(message.id);
    else tally.found('false failures', `${status} ${text}`);
  });

  const entries = await readEntries(logging.logging);
  tally.did('sends', count);
  tally.did('replies', proxy.losses.calls);
  tally.did('replies lost', proxy.losses.lost);
  tally.did('stored', entries.length);
  judge(tally, entries, { attempted, acknowledged });
};

/** A message whose reply is lost is sent again, stored once, and acknowledged. */
export const proof: Proof = {
  name: 'P5',
  promise: 'Unknown outcomes are safe to retry',
  crashModel:
    'network: the reply lost behind the commit, cut in 30 % of calls, silent in every third',
  target: '15,000 sends: 0 lost, 0 doubled, 0 false failures',
  needs: [],
  run,
  controls: [
    {
      name: 'the queue fails together with a silent batch',
      catches: 'false failures',
      patches: queueFailsWithBatch,
    },
    { name: 'dedup off', catches: 'doubled', patches: noDedup },
    {
      name: 'a duplicate is a failure',
      catches: 'false failures',
      patches: [
        {
          find: 'if (result?.status === "conflict") throw',
          replace: 'if (result?.status !== "logged") throw',
        },
      ],
    },
  ],
};
