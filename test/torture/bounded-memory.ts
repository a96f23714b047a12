import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Abuse, Abused } from './abusers.ts';
import { type Clients, openClients, types, upTo } from './clients.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Server } from './scene.ts';

/** The most memory of a process, in MiB. */
const rssMaxMiB = 512;
/**
 * The highest p99 of other clients. The abusers share the processors, so it is far higher than
 * without them, and higher still on a busy machine.
 */
const p99MaxMs = 5000;
/** If the p99 is high already without the abusers, it may rise by this factor. */
const p99MaxTimes = 100;
const connectionsCount = 16;
const postEveryMs = 5;
const linesCount = 5000;
/** A broken build on a busy machine takes long to exceed the limit. */
const fillMaxMs = 60_000;
const lookEveryMs = 100;

/** Runs for a fixed time, or, for a build that fills memory, until a process exceeds the limit. */
const runUntil =
  (end: 'over' | 'full') =>
  async ({ build, pick }: Scale): Promise<Outcome> => {
    const large = { lists: 1, pipelining: 2, unfinished: 200 };
    const whole = { idle: 1000, slow: 200, stalled: 100, endless: 4, ...large };
    const few = { idle: 20, slow: 20, stalled: 40, endless: 4, ...large };
    const abuse = pick({ short: whole, full: whole, control: few });
    // Larger texts fill the buffers of the system sooner, and then the memory of a broken build.
    const [entriesCount, txtBytes] = pick({
      short: [100_000, 100] as const,
      full: [1_000_000, 100] as const,
      control: [6000, 20_000] as const,
    });
    const [quietSeconds, seconds, cutMaxMs] = pick({
      short: [3, 10, 100_000] as const,
      full: [30, 60, 160_000] as const,
      control: [1, 10, 15_000] as const,
    });
    const stallMs = pick({ short: 1000, full: 5000, control: 500 });
    const tally = createTally(
      [
        'idle',
        'slow',
        'stalled followers',
        'of these disconnected',
        'MB of endless bodies',
        'pipelining',
        'unfinished bodies',
        'entries',
        'whole lists',
        'MiB of the facade',
        'MiB of logging',
        'ms p99 of others before',
        'ms p99 meanwhile',
      ],
      ['over the cap', 'not cut', 'lists broken off', 'slow for others', 'others refused'],
    );
    await inScene(build, async (scene) => {
      const stalling = ['--reader-stall-ms', String(stallMs)];
      const logging = await scene.serve('logging', { args: stalling });
      const messages = await scene.serve('messages');
      const below = ['--logging', logging.logging, '--messages', messages.messages];
      const facade = await scene.serve('facade', { args: [...below, ...stalling] });
      const clients = openClients(connectionsCount);
      scene.defer(clients.close);
      await fill(clients, facade, entriesCount, txtBytes);

      const measure = async (howLong: number): Promise<number> => {
        const { p99Ms, refusals } = await postSteadily(clients, facade.facade, howLong);
        for (const refusal of refusals) tally.found('others refused', refusal);
        return p99Ms;
      };
      await postSteadily(clients, facade.facade, 1);
      const beforeMs = await measure(quietSeconds);
      const urls = { facade: facade.facade, logging: logging.logging };
      const abusers = startAbusers({ ...urls, ...abuse, cutMaxMs });
      scene.defer(abusers.stop);
      const peaks = [facade, logging].map(watchPeakMiB);
      for (const { stop } of peaks) scene.defer(stop);
      const seenMiB = () => Promise.all(peaks.map(({ mib }) => mib()));
      let meanwhileMs = await measure(seconds);
      const isFull = async () => Math.max(...(await seenMiB())) > rssMaxMiB;
      const lateAt = performance.now() + (end === 'full' ? fillMaxMs : 0);
      while (performance.now() < lateAt && !(await isFull())) {
        meanwhileMs = Math.max(meanwhileMs, await measure(1));
      }
      const { endlessBytes, listed, brokenLists, cut, notCut } = await abusers.stop();

      const [facadeMiB, loggingMiB] = await seenMiB();
      for (const [role, mib] of Object.entries({ facade: facadeMiB!, logging: loggingMiB! })) {
        if (mib > rssMaxMiB) tally.found('over the cap', `${mib} MiB of the ${role}`);
      }
      if (notCut > 0 || cut === 0)
        tally.found('not cut', `${notCut} followers beside ${cut} that were`);
      if (brokenLists > 0) tally.found('lists broken off', `${brokenLists} beside ${listed}`);
      if (meanwhileMs > Math.max(p99MaxMs, p99MaxTimes * beforeMs)) {
        tally.found('slow for others', `${meanwhileMs} ms, before ${beforeMs} ms`);
      }
      tally.did('idle', abuse.idle);
      tally.did('slow', abuse.slow);
      tally.did('stalled followers', abuse.stalled);
      tally.did('of these disconnected', cut);
      tally.did('MB of endless bodies', Math.round(endlessBytes / 1e6));
      tally.did('pipelining', abuse.pipelining);
      tally.did('unfinished bodies', abuse.unfinished);
      tally.did('entries', entriesCount);
      tally.did('whole lists', listed);
      tally.did('MiB of the facade', facadeMiB);
      tally.did('MiB of logging', loggingMiB);
      tally.did('ms p99 of others before', beforeMs);
      tally.did('ms p99 meanwhile', meanwhileMs);
    });
    return tally.outcome();
  };

const fill = async (
  clients: Clients,
  { facade }: Server,
  count: number,
  txtBytes: number,
): Promise<void> => {
  for (let sent = 0; sent < count; sent += linesCount) {
    const body = upTo(linesCount)
      .map((n) => `${JSON.stringify({ txt: `message ${sent + n} `.padEnd(txtBytes, 'm') })}\n`)
      .join('');
    await clients.post(facade, { type: types.ndjson, body });
  }
};

/** Posts at an even rate. Returns the p99 of the replies in milliseconds, and what was refused. */
const postSteadily = async (
  clients: Clients,
  url: string,
  seconds: number,
): Promise<{ p99Ms: number; refusals: string[] }> => {
  const timesMs: number[] = [];
  const refusals: string[] = [];
  const post = async (n: number): Promise<void> => {
    const began = performance.now();
    try {
      const { status, text } = await clients.post(url, { type: types.form, body: `txt=of ${n}` });
      if (status !== 200) refusals.push(`${status} ${text}`);
    } catch (error) {
      refusals.push((error as Error).message);
    }
    timesMs.push(performance.now() - began);
  };
  const posts: Promise<void>[] = [];
  const began = performance.now();
  for (const n of upTo((seconds * 1000) / postEveryMs)) {
    // On schedule, rather than after the last reply: a slow reply must not slow the load.
    await sleep(Math.max(0, began + n * postEveryMs - performance.now()));
    posts.push(post(n));
  }
  await Promise.all(posts);
  const sorted = timesMs.toSorted((a, b) => a - b);
  const p99Ms = sorted[Math.ceil(sorted.length * 0.99) - 1]!;
  return { p99Ms: Math.round(p99Ms * 10) / 10, refusals };
};

/** Starts the abusers in a thread of their own. `stop` returns what they saw. */
const startAbusers = (workerData: Abuse): { stop: () => Promise<Abused> } => {
  const worker = new Worker(new URL('abusers.js', import.meta.url), { workerData });
  const told = once(worker, 'message') as Promise<[Abused]>;
  told.catch(() => {}); // Heard when it is stopped.
  return {
    stop: async () => {
      worker.postMessage('stop');
      const [abused] = await told;
      return abused;
    },
  };
};

/** Returns the peak memory of a process in whole MiB (VmHWM: peak resident set). */
const peakRssMiB = async ({ pid }: Server): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
};

/** Watches the memory of a process, and keeps the last figure if the process dies of it. */
const watchPeakMiB = (server: Server): { mib: () => Promise<number>; stop: () => void } => {
  let peakMiB = 0;
  const look = async (): Promise<number> => {
    const seenMiB = await peakRssMiB(server).catch(() => 0);
    return (peakMiB = Math.max(peakMiB, seenMiB || 0));
  };
  const looking = setInterval(() => void look(), lookEveryMs);
  return { mib: look, stop: () => clearInterval(looking) };
};

/** Whatever clients do or leave undone, memory is bounded and others are served. */
export const proof: Proof = {
  name: 'P16',
  promise: `Bounded memory: at most ${rssMaxMiB} MiB a process`,
  crashModel:
    'idle connections; slow readers and writers; stalled followers; endless bodies, some in chunks of one byte; requests pipelined behind a stream; large unfinished bodies; repeated lists of everything',
  target: `RSS of a process at most ${rssMaxMiB} MiB; the p99 of others at most ${p99MaxMs} ms`,
  needs: ['proc'],
  run: runUntil('over'),
  controls: [
    {
      name: 'a stalled reader is never disconnected',
      catches: 'not cut',
      patches: [
        { find: 'else if (lookedAtMs >= this.#lateAtMs) response.destroy();', replace: '' },
      ],
    },
    {
      name: 'pages are pushed without back-pressure',
      catches: 'over the cap',
      patches: [
        {
          find: 'if (!response.write(part)) await reader.untilDrained(part.length);',
          replace: 'response.write(part);',
        },
        { find: 'await nextTurn(part.length);', replace: '' },
        // Pages of many readers come slowly, and would fill memory slowly.
        { find: 'const isShared = range.maxBytes !== void 0;', replace: 'const isShared = false;' },
      ],
      run: runUntil('full'),
    },
    {
      name: 'requests behind an unfinished reply are read',
      catches: 'over the cap',
      patches: [
        {
          find: `socket.pause();
    if (waitingCount > waitingMaxCount) socket.destroy();`,
          replace: '',
        },
        { find: 'if (connection.waitingCount > 0) socket.pause();', replace: '' },
      ],
      run: runUntil('full'),
    },
    {
      name: 'unfinished bodies are unbounded',
      catches: 'over the cap',
      patches: [{ find: 'return this.#length + 2 * bytes <=', replace: 'return bytes >= 0 ||' }],
      run: runUntil('full'),
    },
  ],
};
