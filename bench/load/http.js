import { findProgram, packageVersion, programVersion } from '../system/programs.js';
import { loadWithAutocannon } from './autocannon.js';
import { loadWithWrk } from './wrk.js';

/** The text of each posted message: 50 bytes. */
export const postedText = 'm'.repeat(50);

/**
 * Posts the form `txt=…` over this many connections for so many seconds. Each connection sends the
 * next post once the last one is answered. Without an id, each post is a new message. Returns
 * requests per second, median and 99th percentile of the latency in milliseconds, and the number of
 * answers. Throws if a post was refused.
 */
export async function postForms(url, { connections, seconds }) {
  const load = findProgram('wrk') ? loadWithWrk : loadWithAutocannon;
  const result = await load(url, { connections, seconds, body: `txt=${postedText}` });
  if (result.failedCount > 0) {
    throw new Error(`${result.failedCount} requests failed beside ${result.answeredCount}`);
  }
  if (result.answeredCount === 0) throw new Error('no request was answered');
  return result;
}

/** Names the program that posts: wrk if it is installed, because it uses the least CPU time. */
export function describeLoad() {
  if (findProgram('wrk')) return `wrk ${programVersion('wrk', '-v')}, one thread`;
  return `autocannon ${packageVersion('autocannon')} (wrk is not installed)`;
}
