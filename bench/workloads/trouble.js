import { setTimeout as sleep } from 'node:timers/promises';
import { loadWithAutocannon } from '../load/autocannon.js';
import { postedText } from '../load/http.js';
import { peakRssMiB } from '../system/memory.js';
import { takeTurns, withStarted } from './turns.js';

const beforeMs = 6_000;
const pausedMs = 5_000;
const afterMs = 7_000;
/** The rate is judged over windows of this length. The first one at 0.8 of the rate is "normal". */
const windowMs = 1_000;
const normalPart = 0.8;

/** What happens when the logging service is stopped at full load. */
export const trouble = {
  name: 'trouble',
  title: 'Trouble: the logging process paused for 5 s at full load',
  about:
    'Two processes, forms by autocannon, SIGSTOP and SIGCONT to the logging process. Normal ' +
    `again: from SIGCONT to the first ${windowMs / 1_000} s with at least ${normalPart} of the rate ` +
    'before. Failed are requests that were not answered with 200.',
  metrics: [
    { name: 'rssMiB', title: 'facade peak RSS MiB' },
    { name: 'loggingRssMiB', title: 'logging peak RSS MiB' },
    { name: 'recoveryMs', title: 'normal again after ms' },
    { name: 'ratePart', title: 'rate after ÷ before' },
    { name: 'failedCount', title: 'failed' },
  ],
  references: [],
  only: ['mlog-apart'],
  run(bench) {
    const [mlogApart] = bench.contenders;
    return takeTurns(
      bench,
      [64, 2_000].map((connections) => ({
        name: `${connections.toLocaleString('en-US')} connections`,
        measure: () => withStarted(mlogApart, {}, (running) => measurePause(running, connections)),
      })),
    );
  },
};

async function measurePause(running, connections) {
  const answered = [];
  const loaded = loadWithAutocannon(running.url, {
    connections,
    seconds: (beforeMs + pausedMs + afterMs) / 1_000,
    body: `txt=${postedText}`,
    onResponse: (status) => status === 200 && answered.push(performance.now()),
  });
  await sleep(beforeMs);
  const pausedAt = performance.now();
  running.pauseLogging();
  await sleep(pausedMs);
  const resumedAt = performance.now();
  running.resumeLogging();
  const { failedCount } = await loaded;

  // Everything before that is the warm-up.
  const before = rateBetween(answered, pausedAt - beforeMs / 2, pausedAt);
  const after = rateBetween(answered, resumedAt + 2_000, resumedAt + afterMs - 1_000);
  return {
    rssMiB: peakRssMiB(running.pids.facade),
    loggingRssMiB: peakRssMiB(running.pids.logging),
    recoveryMs: timeToRate(answered, resumedAt, before * normalPart),
    ratePart: after / before,
    failedCount,
  };
}

function timeToRate(times, from, rate) {
  const later = times.filter((time) => time >= from);
  for (let waitedMs = 0; waitedMs < afterMs - windowMs; waitedMs += 10) {
    const begin = from + waitedMs;
    if (rateBetween(later, begin, begin + windowMs) >= rate) return waitedMs;
  }
  throw new Error(`not back to normal ${afterMs} ms after SIGCONT`);
}

function rateBetween(times, from, to) {
  return (times.filter((time) => time >= from && time < to).length / (to - from)) * 1_000;
}
