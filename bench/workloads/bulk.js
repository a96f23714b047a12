import { messageChunks, postNdjson } from '../client/ndjson.js';
import { takeTurns, turnOf } from './turns.js';

const warmUpCount = 20_000;

/**
 * Sends NDJSON in one request, after a warm-up. Returns messages per second, all of them stored.
 */
export async function measureBulk(running, count, options) {
  await postNdjson(running.url, messageChunks(warmUpCount, options), warmUpCount);
  const before = await running.count();
  // Made before the clock starts, because the client's work is not measured.
  const chunks = [...messageChunks(count, options)];
  const tookMs = await postNdjson(running.url, chunks, count);
  const stored = (await running.count()) - before;
  if (stored !== count) throw new Error(`${count} sent, ${stored} stored`);
  return (count / tookMs) * 1_000;
}

/** How many messages per second are accepted from one large request. */
export const bulk = {
  name: 'bulk',
  title: 'Bulk: NDJSON in one request',
  about:
    'Messages of 50 bytes without ids through the facade, the answers read while the request is ' +
    'written, on a fresh store.',
  metrics: [{ name: 'perSecond', title: 'messages/s' }],
  references: [],
  only: ['mlog', 'mlog-apart', 'mlog-grpc'],
  run(bench) {
    const measure = async (running) => ({
      perSecond: await measureBulk(running, bench.bulkCount),
    });
    return takeTurns(
      bench,
      bench.contenders.map((contender) => turnOf(contender, measure)),
    );
  },
};
