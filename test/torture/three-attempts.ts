import type { Reply } from '../support/http.ts';
import { type Lateness, watchLateness } from '../support/lateness.ts';
import { type Fate, startReferenceLogging } from '../support/reference.ts';
import { readEntries } from '../support/writers.ts';
import type { Patch } from './build.ts';
import { attemptTimeoutMs, type Failure, failures } from './attempt-failures.ts';
import { openClients, types } from './clients.ts';
import { queueFailsWithBatch } from './controls.ts';
import { sendWhilePaused } from './paused-logging.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Scene, type Server } from './scene.ts';

const delayMs = 2000;
const toleranceMs = 200;
const slackMs = 1000;

const createCounts = () =>
  createTally(
    ['failures', 'tries'],
    ['wrong tries', 'untried', 'other id', 'wrong gaps', 'wrong answers', 'too long', 'doubled'],
  );
type Counts = ReturnType<typeof createCounts>;

/** These are enough to catch a control. */
const isTelling = ({ name }: Failure): boolean => ['answers 500', 'answers 400'].includes(name);

const run = async ({ build, form, pick }: Scale): Promise<Outcome> => {
  const rounds = pick({ short: 1, full: 10, control: 1 });
  const tried = failures.filter(pick({ short: () => true, full: () => true, control: isTelling }));
  const tally = createCounts();
  for (let round = 0; round < rounds; round += 1) {
    await inScene(build, async (scene) => {
      const ready: Ready[] = [];
      for (const failure of tried) ready.push(await openOne(scene, failure));
      const lateness = watchLateness();
      scene.defer(lateness.stop);
      // One facade for each failure, all at once, since most of the time is spent waiting.
      await Promise.all(ready.map((each) => tryOne(each, tally, lateness)));
    });
    // Alone, because its many messages would disturb the attempts of the others.
    if (form !== 'control') await inScene(build, (scene) => tryPaused(scene, tally));
  }
  return tally.outcome();
};

const runPaused = async ({ build }: Scale): Promise<Outcome> => {
  const tally = createCounts();
  await inScene(build, (scene) => tryPaused(scene, tally));
  return tally.outcome();
};

/** A facade that has delivered a first message to a service that fails from then on. */
type Ready = {
  failure: Failure;
  send: (id: string) => Promise<Reply>;
  /** When each attempt began or ended, whichever can be observed. */
  times: () => Promise<number[]>;
  /** The ids that arrived, if that can be observed. */
  idsTried: () => (string | null)[];
  /** Repairs the service and returns the stored ids, if there is a service to repair. */
  mend: () => Promise<string[]>;
};

const openOne = async (scene: Scene, failure: Failure): Promise<Ready> => {
  const { fate } = failure;
  const reference = fate && (await openReference(scene, fate));
  const store = `${scene.store}-${failure.name}`;
  const logging = reference ? undefined : await scene.serve('logging', { store });
  const url = reference?.url ?? logging!.logging;
  const args = ['--logging', url, '--attempt-timeout-ms', String(attemptTimeoutMs)];
  const facade = await scene.serve('facade', { args });
  const clients = openClients(1);
  scene.defer(clients.close);
  const send = async (id: string): Promise<Reply> => {
    const body = JSON.stringify({ id, txt: 'Its me' });
    return await clients.post(facade.facade, { type: types.json, body });
  };
  await send('before');
  if (failure.isStopped) process.kill(logging!.pid, 'SIGSTOP');
  else await logging?.kill();

  const posts = () => reference?.posts.slice(1);
  return {
    failure,
    send,
    times: async () => posts()?.map(({ at }) => at) ?? (await attemptTimes(facade, failure.tries)),
    idsTried: () => posts()?.map(({ id }) => id) ?? [],
    mend: async () => {
      if (!failure.isStopped) return [];
      process.kill(logging!.pid, 'SIGCONT');
      return (await readEntries(logging!.logging)).map(({ id }) => id);
    },
  };
};

/** A stand-in that stores its first message and fails from the second one on. */
const openReference = async (scene: Scene, fate: (n: number) => Fate) => {
  const reference = await startReferenceLogging({
    onPost: ({ n }) => (n === 1 ? 'store' : fate(n - 1)),
  });
  scene.defer(reference.close);
  return reference;
};

const tryOne = async (ready: Ready, tally: Counts, lateness: Lateness): Promise<void> => {
  const { name, tries, attemptMs, status: expected } = ready.failure;
  const began = performance.now();
  const { status, text } = await ready.send('the id');
  const tookMs = performance.now() - began;
  const times = await ready.times();
  tally.did('failures');
  tally.did('tries', times.length);

  if (times.length !== tries) tally.found('wrong tries', `${name}: ${times.length}`);
  const gaps = times.slice(1).map((time, n) => time - times[n]! - attemptMs);
  // A facade on a busy machine is as late as this process, at both ends of a gap and in each
  // attempt.
  const lateMs = 2 * lateness.maxMs();
  for (const gap of gaps) {
    if (Math.abs(gap - delayMs) > toleranceMs + lateMs)
      tally.found('wrong gaps', `${name}: ${gap} ms`);
  }
  for (const id of ready.idsTried()) {
    if (id !== 'the id') tally.found('other id', `${name}: ${id}`);
  }
  const isHonest = status !== 500 || /"error":".*unknown.*","id":"the id"/.test(text);
  if (status !== expected || !isHonest) tally.found('wrong answers', `${name}: ${status} ${text}`);
  const longestMs = tries * attemptMs + (tries - 1) * delayMs + slackMs + tries * lateMs;
  if (tookMs > longestMs) tally.found('too long', `${name}: ${tookMs} ms`);

  const stored = await ready.mend();
  if (new Set(stored).size !== stored.length) tally.found('doubled', `${name}: ${stored.join()}`);
};

/** Of many messages that wait for a stopped service, each was sent as often as its reply says. */
const tryPaused = async (scene: Scene, tally: Counts): Promise<void> => {
  const { waited, stored } = await sendWhilePaused(scene, attemptTimeoutMs);
  const longestMs = 3 * attemptTimeoutMs + 2 * delayMs + 2 * slackMs;
  for (const { status, text, tookMs, told, sent } of waited) {
    tally.did('tries', sent);
    if (status !== 500 || told !== 3) tally.found('wrong answers', `paused: ${status} ${text}`);
    if (sent < told) tally.found('untried', `paused: sent ${sent} times, ${text}`);
    if (tookMs > longestMs) tally.found('too long', `paused: ${tookMs} ms`);
  }
  if (new Set(stored).size !== stored.length) tally.found('doubled', `paused: ${stored.join()}`);
};

/** When the facade reported that an attempt failed. Its diagnostics may come after its reply. */
const attemptTimes = async ({ child }: Server, wanted: number): Promise<number[]> => {
  const told = (): number[] =>
    child
      .stderr()
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.includes('"attempt":'))
      .map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
  await child.waitFor(() => told().length >= wanted || undefined, 1_000).catch(() => {});
  return told();
};

// Whatever the bundle calls the setting.
const atOnce: readonly Patch[] = [
  { find: 'minTimeout: retryDelayMs', replace: 'minTimeout: 0 * retryDelayMs' },
];

/**
 * A facade makes three attempts, two seconds apart, under one id, and then reports what it knows.
 */
export const proof: Proof = {
  name: 'P6',
  promise: '3 attempts, 2 s apart, then an honest error',
  crashModel:
    'network refused, reset, silent, cut; a stopped process, with 64 waiting; replies of failure',
  target: 'exactly 3 tries (1 on a 4xx), same id, gaps 2.0 ± 0.2 s, a bounded total',
  needs: [],
  run,
  controls: [
    {
      name: 'the queue fails together with a silent batch',
      catches: 'untried',
      run: runPaused,
      patches: queueFailsWithBatch,
    },
    {
      name: 'no retry',
      catches: 'wrong tries',
      patches: [{ find: 'retries: attemptsMax - 1', replace: 'retries: 0' }],
    },
    { name: 'retries without a pause', catches: 'wrong gaps', patches: atOnce },
    {
      name: 'retries on a 4xx',
      catches: 'wrong tries',
      patches: [
        ...atOnce,
        {
          find: 'shouldRetry: ({ error }) => toMlogError(error).retryable',
          replace: 'shouldRetry: () => true',
        },
      ],
    },
    {
      name: 'another id for each attempt',
      catches: 'other id',
      patches: [
        ...atOnce,
        {
          find: 'async function appendOne({ id, txt }) {',
          replace: 'async function appendOne({ id, txt }) { id = crypto.randomUUID();',
        },
      ],
    },
  ],
};
