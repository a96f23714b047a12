import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { startFollowers, timedText } from '../client/followers.js';
import { postAtRate } from './follow.js';
import { Results } from '../report/results.js';
import { takeTurns, withStarted } from './turns.js';

/** How many messages arrived one by one while the followers were there. */
const agedCount = 20_000;
const counts = [200, 1_000];
const agingPerSecond = 250;
const perSecond = 50;
/** The last events are still in flight when the last post is answered. */
const settleMs = 2_000;

/** What a message costs each follower of a service that has served them for long. */
export const followAged = {
  name: 'follow-aged',
  title: `Following after ${agedCount.toLocaleString('en')} messages, ${perSecond} a second`,
  about:
    'Followers take server-sent events from the logging service from its start on; once so many ' +
    'messages have come one by one, the delay is measured as above.',
  metrics: [
    { name: 'medianMs', title: 'median delay ms' },
    { name: 'p99Ms', title: 'p99 delay ms' },
  ],
  references: [],
  only: ['mlog'],
  run(bench) {
    const cases = bench.contenders.flatMap((contender) =>
      counts.map((count) => ({
        name: `${count.toLocaleString('en')} followers`,
        measure: () => withStarted(contender, {}, (running) => measureAged(running, bench, count)),
      })),
    );
    return cases.length > 0 ? takeTurns(bench, cases) : new Results();
  },
};

async function measureAged({ url, loggingUrl }, { seconds }, followerCount) {
  const pool = new Pool(new URL(url).origin, { connections: 16 });
  try {
    const followers = await startFollowers(loggingUrl, followerCount);
    await postAtRate(pool, agedCount, timedText, agingPerSecond);
    await sleep(settleMs);
    followers.reset();
    const count = perSecond * seconds;
    await postAtRate(pool, count, timedText, perSecond);
    await sleep(settleMs);
    const { events, medianMs, p99Ms } = await followers.stop();
    if (events !== count * followerCount) {
      throw new Error(`${events} events instead of ${count * followerCount}`);
    }
    return { medianMs, p99Ms };
  } finally {
    await pool.close();
  }
}
