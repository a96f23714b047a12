import autocannon from 'autocannon';
import { quantile } from '../report/statistics.js';

/**
 * Posts one body repeatedly with autocannon; see `postForms`. `onResponse` hears of each response
 * with its status, as it arrives.
 */
export async function loadWithAutocannon(url, { connections, seconds, body, onResponse }) {
  // Its own histogram counts whole milliseconds, so each time is kept instead.
  const times = [];
  const run = autocannon({
    url,
    connections,
    duration: seconds,
    timeout: 20,
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  run.on('response', (_client, status, _bytes, timeMs) => {
    times.push(timeMs);
    onResponse?.(status);
  });
  const { non2xx, errors, duration } = await run;
  return {
    perSecond: times.length / duration,
    medianMs: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    answeredCount: times.length,
    failedCount: non2xx + errors,
  };
}
