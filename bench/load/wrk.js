import { fileURLToPath } from 'node:url';
import { runProgram } from '../system/processes.js';
import { findProgram } from '../system/programs.js';

const script = fileURLToPath(new URL('post.lua', import.meta.url));
const slackMs = 15_000;

/** Posts one body repeatedly with wrk; see `postForms`. */
export async function loadWithWrk(url, { connections, seconds, body }) {
  const options = `--threads 1 --connections ${connections} --duration ${seconds}s --timeout 10s`;
  const args = [...options.split(' '), '--script', script, url];
  const output = await runProgram(findProgram('wrk'), args, {
    timeoutMs: seconds * 1_000 + slackMs,
    env: { BODY: body },
  });
  const result = JSON.parse(/^RESULT (.*)$/m.exec(output)[1]);
  return {
    perSecond: (result.answeredCount / result.durationUs) * 1e6,
    medianMs: result.medianUs / 1_000,
    p99Ms: result.p99Us / 1_000,
    answeredCount: result.answeredCount,
    failedCount: result.failedCount,
  };
}
