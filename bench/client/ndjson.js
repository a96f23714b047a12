import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';

const lineFeed = 10;
const linesPerChunk = 500;
const silenceMaxMs = 60_000;

/** Yields NDJSON of this many messages of 50 bytes, without ids or with random ones (v4). */
export function* messageChunks(count, { withIds = false } = {}) {
  for (let made = 0; made < count;) {
    const until = Math.min(count, made + linesPerChunk);
    let chunk = '';
    for (; made < until; made += 1) {
      const txt = `message ${made} `.padEnd(50, 'm');
      chunk += withIds ? `{"id":"${randomUUID()}","txt":"${txt}"}\n` : `{"txt":"${txt}"}\n`;
    }
    yield Buffer.from(chunk);
  }
}

/**
 * Posts NDJSON in one request and reads the answers while it writes, like curl. Returns the time to
 * the last byte of the answer. Throws unless there is one answer per line.
 */
export async function postNdjson(url, chunks, count) {
  const began = performance.now();
  const outgoing = request(url, {
    method: 'POST',
    agent: false,
    timeout: silenceMaxMs,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`silent for ${silenceMaxMs} ms`)));
  try {
    const [answered] = await Promise.all([countAnswers(outgoing), pipeline(chunks, outgoing)]);
    if (answered !== count) throw new Error(`${answered} answers to ${count} lines`);
  } finally {
    outgoing.destroy();
  }
  return performance.now() - began;
}

async function countAnswers(outgoing) {
  const [incoming] = await once(outgoing, 'response');
  if (incoming.statusCode !== 200) throw new Error(`status ${incoming.statusCode}`);
  let lines = 0;
  for await (const chunk of incoming) {
    for (let at = -1; (at = chunk.indexOf(lineFeed, at + 1)) !== -1;) lines += 1;
  }
  return lines;
}
