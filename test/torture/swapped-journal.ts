import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFollower } from '../support/events.ts';
import { request } from '../support/http.ts';
import { readEntries } from '../support/writers.ts';
import type { Patch } from './build.ts';
import type { Tally } from './proof.ts';
import type { Scene } from './scene.ts';

/** What can be wrong when another journal replaces a followed one. */
export const swapFaults = ['entries of another journal', 'swaps not told'] as const;

const toldWithinMs = 10_000;
const counts = { first: 10, other: 20, live: 5 };

/**
 * Replaces a followed journal with a longer one, behind a facade that keeps running and behind a
 * replica. Then more messages arrive. Neither may show anything of the other journal.
 */
export const swapJournal = async (
  scene: Scene,
  signal: NodeJS.Signals,
  tally: Tally<'swapped journals', (typeof swapFaults)[number]>,
): Promise<void> => {
  const name = randomUUID();
  const [store, otherStore] = [`${scene.store}.${name}`, `${scene.store}.other.${name}`];
  const other = await scene.serve('logging', { store: otherStore });
  await sendTo(`${other.logging}/logging`, 'other', counts.other);
  await other.kill('SIGTERM');
  const logging = await scene.serve('logging', { store });
  await sendTo(`${logging.logging}/logging`, 'first', counts.first);
  const facade = await scene.serve('facade', { args: ['--logging', logging.logging] });
  const replica = await scene.serve('messages', { args: ['--follow', logging.logging] });

  const { headers } = await request(`${logging.logging}/logging`, { method: 'HEAD' });
  const journal = String(headers['mlog-journal']);
  const follower = startFollower(`${facade.facade}/?journal=${journal}`, 'after');
  scene.defer(follower.close);
  await follower.reach(counts.first);
  const copied = () => readEntries(replica.messages, '/messages').catch(() => []);
  await waitUntil(async () => (await copied()).length === counts.first, toldWithinMs);

  await logging.kill(signal);
  const swapped = await logging.again({ store: otherStore });
  await swapped.ready;
  await sendTo(`${swapped.logging}/logging`, 'live', counts.live);
  const isTold = () =>
    follower.oddities.some((oddity) => /^(?:event gone|status 410)$/.test(oddity));
  if (!(await waitUntil(isTold, toldWithinMs))) tally.found('swaps not told', 'to a follower');
  const hasStopped = () => /cannot continue/.test(replica.child.stderr());
  if (!(await waitUntil(hasStopped, toldWithinMs))) tally.found('swaps not told', 'to a replica');
  for (const { seq, txt } of [...follower.entries, ...(await copied())]) {
    if (txt !== 'first') tally.found('entries of another journal', `entry ${seq}: ${txt}`);
  }
  tally.did('swapped journals');
  for (const server of [facade, replica, swapped]) await server.kill();
  await follower.close();
};

/** Polls until a condition holds. Returns false if it never does. */
const waitUntil = async (
  isSo: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> => {
  const untilMs = performance.now() + timeoutMs;
  while (performance.now() < untilMs) {
    if (await isSo()) return true;
    await sleep(50);
  }
  return false;
};

const sendTo = async (url: string, txt: string, count: number): Promise<void> => {
  const lines = Array.from({ length: count }, () => ({ id: randomUUID(), txt }));
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const headers = { 'content-type': 'application/x-ndjson' };
  const { status } = await request(url, { method: 'POST', headers, body });
  if (status !== 200) throw new Error(`${url} answered ${status}`);
};

/** Recognizes a journal only by its length. */
export const unknownJournal: readonly Patch[] = [
  {
    find: 'return Boolean(asked) && journal !== "" && asked !== journal;',
    replace: 'return false;',
    times: 2,
  },
  { find: 'if (!isSame) throw replacedError(this.seq);', replace: '' },
];
