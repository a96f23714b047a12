import { runProgram } from '../system/processes.js';
import { findProgram } from '../system/programs.js';
import { postedText } from './http.js';

const trialPerConnection = 100;
const timeoutMs = 60_000;

/**
 * Runs a loaded script, with a new id each time, for about so many seconds with redis-benchmark.
 * Returns what `postForms` returns.
 */
export async function appendToRedis({ port, sha }, { connections, seconds }) {
  // It takes a number of requests, not a time. A short trial tells how many fit.
  const trial = await run({ port, sha }, connections, connections * trialPerConnection);
  return run({ port, sha }, connections, Math.ceil(trial.perSecond * seconds));
}

async function run({ port, sha }, connections, count) {
  // The widest range of random numbers that it supports, so that hardly any repeats.
  const range = 2 ** 31 - 1;
  const options = `-h 127.0.0.1 -p ${port} -c ${connections} -n ${count} -r ${range} --csv`;
  const command = ['EVALSHA', sha, '1', 'id-__rand_int__', postedText];
  const output = await runProgram(
    findProgram('redis-benchmark'),
    [...options.split(' '), ...command],
    { timeoutMs },
  );
  // "test","rps","avg_latency_ms","min_…","p50_latency_ms","p95_…","p99_latency_ms","max_…"
  const [, rate, , , p50, , p99] = output.trim().split('\n').at(-1).split(',').map(numberIn);
  return { perSecond: rate, medianMs: p50, p99Ms: p99, answeredCount: count };
}

function numberIn(column) {
  return Number(column.replaceAll('"', ''));
}
