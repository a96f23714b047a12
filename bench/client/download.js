import { once } from 'node:events';
import { request } from 'node:http';

const lineFeed = 10;
const silenceMaxMs = 30_000;

/** Downloads a listing. Returns its bytes and line feeds, and the milliseconds to its last byte. */
export async function download(url, accept) {
  const began = performance.now();
  const outgoing = request(url, { agent: false, timeout: silenceMaxMs, headers: { accept } });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`silent for ${silenceMaxMs} ms`)));
  outgoing.end();
  const [incoming] = await once(outgoing, 'response');
  if (incoming.statusCode !== 200) throw new Error(`status ${incoming.statusCode}`);
  let bytes = 0;
  let lines = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    for (let at = -1; (at = chunk.indexOf(lineFeed, at + 1)) !== -1;) lines += 1;
  }
  return { bytes, lines, tookMs: performance.now() - began };
}
