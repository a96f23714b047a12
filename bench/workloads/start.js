import { spawnSync } from 'node:child_process';
import { mlogProgram } from '../system/mlog.js';
import { plainEnvironment } from '../system/processes.js';
import { takeTurns, withStarted } from './turns.js';

const runsPerRound = 10;
const timeout = 10_000;

/** What a client command costs compared with a Node that does nothing. */
export const start = {
  name: 'start',
  title: 'Starting a client command',
  about: `Wall time of single runs, ${runsPerRound} a round, by turns.`,
  metrics: [{ name: 'wallMs', title: 'ms' }],
  references: [{ title: '× node -e 0', of: () => 'node -e 0' }],
  only: ['mlog'],
  run(bench) {
    const [mlog] = bench.contenders;
    const turns = { rounds: bench.rounds * runsPerRound, log: () => {} };
    return withStarted(mlog, {}, ({ url }) =>
      takeTurns(turns, [
        { name: 'node -e 0', measure: () => runNode(['-e', '0']) },
        { name: 'mlog send x', measure: () => runNode([mlogProgram, 'send', 'x', '--url', url]) },
      ]),
    );
  },
};

function runNode(args) {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, {
    env: plainEnvironment,
    encoding: 'utf8',
    timeout,
  });
  const wallMs = performance.now() - began;
  if (status !== 0) throw new Error(`${args.join(' ')} failed: ${stderr}`);
  return { wallMs };
}
