import { fileURLToPath } from 'node:url';
import { runProgram } from '../system/processes.js';

const program = fileURLToPath(new URL('../client/log-message.js', import.meta.url));
const graceMs = 60_000;

/**
 * Calls LogMessage over gRPC, this many calls at a time on one connection, for so many seconds or
 * up to `count`. Returns what `postForms` returns.
 */
export async function callLogMessage(url, { connections, seconds, count = Infinity }) {
  const args = [program, url, connections, seconds, count].map(String);
  const timeoutMs = seconds * 1_000 + graceMs;
  return JSON.parse(await runProgram(process.execPath, args, { timeoutMs }));
}
