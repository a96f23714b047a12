import { setTimeout as sleep } from 'node:timers/promises';
import { startProxy } from '../support/proxy.ts';
import { readEntries } from '../support/writers.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Server } from './scene.ts';

const linesCount = 10_000;
// Long enough that most of a request is still in flight while its first lines are stored.
const padding = 'x'.repeat(400);
// This share of the batches never reaches the logging service.
const lossProbability = 0.02;

const stopsMaxCount = 8;
const uploadTimeoutMs = 300_000;

/** For uploads that end by themselves: the command retries for as long as the run may take. */
const patient = ['--attempts-max', '100000', '--retry-delay-ms', '20'];

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const rounds = pick({ short: 4, full: 40, control: 10 });
  const tally = createTally(
    ['uploads', 'lines', 'stops', 'kills', 'stored'],
    ['lost', 'doubled', 'out of order', 'altered', 'false failures'],
  );
  await inScene(build, async (scene) => {
    const logging = await scene.serve('logging');
    const proxy = await startProxy(logging.logging, {
      resetRequest: () => random.chance(lossProbability),
    });
    scene.defer(proxy.close);
    // One attempt and small batches, so that most requests have a batch that fails among some that
    // do not.
    const hasty = ['--attempts-max', '1', '--batch-max-count', '100'];
    const servers: Record<'facade' | 'logging', Server> = {
      logging,
      facade: await scene.serve('facade', { args: ['--logging', proxy.url, ...hasty] }),
    };

    for (let round = 1; round <= rounds; round += 1) {
      let isOver = false;
      const texts = Array.from(
        { length: linesCount },
        (_, n) => `line ${n + 1} of ${round} ${padding}`,
      );
      const args = ['send', '--lines', '--id', `round-${round}`, '--url', servers.facade.facade];
      const sending = scene
        .run([...args, ...patient], { input: texts.join('\n'), timeoutMs: uploadTimeoutMs })
        .finally(() => (isOver = true));
      // Limited, so that the upload progresses on a machine of any speed.
      for (let stops = 0; !isOver && stops < stopsMaxCount; stops += 1) {
        await sleep(random.whole(50, 400));
        const name = random.pick(['facade', 'facade', 'logging'] as const);
        const signal = random.pick(['SIGTERM', 'SIGKILL'] as const);
        await servers[name].kill(signal);
        tally.did(signal === 'SIGKILL' ? 'kills' : 'stops');
        servers[name] = await servers[name].again();
        await servers[name].ready;
      }
      const { code, signal, stderr } = await sending;
      if (code !== 0) tally.found('false failures', `${code ?? signal}: ${stderr.slice(-200)}`);
      tally.did('uploads');
      tally.did('lines', linesCount);
    }

    const entries = await readEntries(servers.logging.logging);
    tally.did('stored', entries.length);
    judgeOrder(tally, entries, rounds);
  });
  return tally.outcome();
};

/** Compares what is stored with the uploads, which ran one after the other. */
const judgeOrder = (
  { found }: Pick<ReturnType<typeof createTally<never, Fault>>, 'found'>,
  entries: readonly { id: string; txt: string }[],
  rounds: number,
): void => {
  const seen = new Set<string>();
  let [lastRound, lastLine] = [0, 0];
  for (const { id, txt } of entries) {
    if (seen.has(id)) found('doubled', id);
    seen.add(id);
    const [, round = 0, line = 0] = id.split('-').map(Number);
    const isBehind = round > lastRound || (round === lastRound && line > lastLine);
    if (!isBehind) found('out of order', `${id} behind round-${lastRound}-${lastLine}`);
    if (txt !== `line ${line} of ${round} ${padding}`) found('altered', `${id}: ${txt}`);
    [lastRound, lastLine] = [round, line];
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (let line = 1; line <= linesCount; line += 1) {
      if (!seen.has(`round-${round}-${line}`)) found('lost', `round-${round}-${line}`);
    }
  }
};

type Fault = 'lost' | 'doubled' | 'out of order' | 'altered';

/** A bulk upload resumes, whatever stops on its way. */
export const proof: Proof = {
  name: 'P23',
  promise: 'A bulk upload loses no line, doubles none and keeps their order',
  crashModel: 'process stopped and killed, request lost',
  target: '0 lost, 0 doubled, 0 out of order in 40 uploads',
  needs: [],
  run,
  controls: [
    {
      name: 'a line cut off by a stop counts as complete',
      catches: 'lost',
      patches: [{ find: 'if (!isEnded) fail(bodyStoppedError());', replace: 'onEnd();' }],
    },
    {
      name: 'lines after an unknown one are sent',
      catches: 'out of order',
      patches: [{ find: 'this.#isHeld ||= ', replace: 'this.#isHeld ||= false && ' }],
    },
  ],
};
