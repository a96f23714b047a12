import { messageChunks, postNdjson } from './ndjson.js';

const requestMaxCount = 200_000;

/**
 * Fills the store behind a facade with NDJSON until it holds this many more messages, or the time
 * is over. Returns how many it sent.
 */
export async function fill(url, count, { withIds = false, maxSeconds = Infinity } = {}) {
  const deadline = performance.now() + maxSeconds * 1_000;
  let sent = 0;
  while (sent < count && performance.now() < deadline) {
    const some = Math.min(requestMaxCount, count - sent);
    await postNdjson(url, messageChunks(some, { withIds }), some);
    sent += some;
  }
  return sent;
}
