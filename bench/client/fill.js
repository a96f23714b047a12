import { messageChunks, postNdjson } from './ndjson.js';

const requestMaxCount = 200_000;

/**
 * Fills the store behind a facade, by NDJSON, until it holds so many messages more or the time is
 * over; gives how many it has sent.
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
