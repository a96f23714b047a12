import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { startFollowers, timedText } from '../client/followers.js';
import { takeTurns, turnOf } from './turns.js';

const followerCount = 200;
const messagesPerSecond = 500;
const warmUpCount = 500;
/** The last events are still in flight when the last post is answered. */
const settleMs = 500;

/** How soon after its sending a message reaches the followers. */
export const follow = {
  name: 'follow',
  title: `Following: ${followerCount} followers, ${messagesPerSecond} messages a second`,
  about:
    'Forms to the facade at a steady rate; the followers take server-sent events from the logging ' +
    'service, in a thread of their own. The delay is from the sending of the form to the event at ' +
    'a follower, sync included.',
  metrics: [
    { name: 'medianMs', title: 'median delay ms' },
    { name: 'p99Ms', title: 'p99 delay ms' },
    { name: 'postsPerSecond', title: 'posts/s' },
    { name: 'eventsPerSecond', title: 'events/s' },
  ],
  references: [],
  only: ['mlog', 'mlog-apart'],
  run(bench) {
    const measure = (running) => measureFollowing(running, bench);
    return takeTurns(
      bench,
      bench.contenders.map((contender) => turnOf(contender, measure)),
    );
  },
};

async function measureFollowing({ url, loggingUrl }, { seconds }) {
  const pool = new Pool(new URL(url).origin, { connections: 16 });
  try {
    await postAtRate(pool, warmUpCount, () => 'warm-up', messagesPerSecond);
    const followers = await startFollowers(loggingUrl, followerCount);
    const count = messagesPerSecond * seconds;
    const tookMs = await postAtRate(pool, count, timedText, messagesPerSecond);
    await sleep(settleMs);
    const { events, medianMs, p99Ms } = await followers.stop();
    if (events !== count * followerCount) {
      throw new Error(`${events} events instead of ${count * followerCount}`);
    }
    return {
      medianMs,
      p99Ms,
      postsPerSecond: (count / tookMs) * 1_000,
      eventsPerSecond: (events / tookMs) * 1_000,
    };
  } finally {
    await pool.close();
  }
}

/** Posts this many forms at a fixed rate, answered or not. Returns the time to the last answer. */
export async function postAtRate(pool, count, makeText, perSecond) {
  const began = performance.now();
  const posts = [];
  while (posts.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - began) / 1_000) * perSecond));
    while (posts.length < due) posts.push(post(pool, makeText()));
    await sleep(1);
  }
  await Promise.all(posts);
  return performance.now() - began;
}

async function post(pool, txt) {
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `txt=${txt}`,
  });
  await body.dump();
  if (statusCode !== 200) throw new Error(`status ${statusCode}`);
}
