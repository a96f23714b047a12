import { rssMiB } from '../system/memory.js';
import { takeTurns, turnOf } from './turns.js';

const callsAtATime = 64;
const secondsMax = 600;

/** Whether memory grows with the number of answered calls. */
export const soak = {
  name: 'soak',
  title: 'Many calls on one connection',
  about: 'LogMessage 200,000 times behind 20,000; RSS before and after the 200,000.',
  metrics: [
    { name: 'perSecond', title: 'calls/s' },
    { name: 'beforeMiB', title: 'RSS before, MiB' },
    { name: 'afterMiB', title: 'RSS after, MiB' },
  ],
  references: [],
  only: ['mlog-unary'],
  run: (bench) =>
    takeTurns(
      { ...bench, rounds: 1 },
      bench.contenders.map((contender) => turnOf(contender, measureSoak)),
    ),
};

async function measureSoak({ load, pids }) {
  const settings = { connections: callsAtATime, seconds: secondsMax };
  await load({ ...settings, count: 20_000 });
  const beforeMiB = rssMiB(pids.logging);
  const { perSecond } = await load({ ...settings, count: 200_000 });
  return { perSecond, beforeMiB, afterMiB: rssMiB(pids.logging) };
}
