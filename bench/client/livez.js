import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const everyMs = 5;
const silenceMaxMs = 30_000;

/**
 * Requests `/livez` of services every 5 ms, from a thread of its own, so that this thread's work
 * does not count as theirs. `stop` returns the longest reply time in milliseconds: a service with a
 * blocked event loop cannot reply.
 */
export function watchLivez(urls) {
  const worker = new Worker(new URL(import.meta.url), { workerData: urls });
  const failed = once(worker, 'message').then(([message]) => message);
  return {
    async stop() {
      worker.postMessage('stop');
      const { longestMs, error } = await failed;
      await worker.terminate();
      if (error) throw new Error(error);
      return longestMs;
    },
  };
}

async function poll(url, until) {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay().setTimeout(silenceMaxMs);
  socket.on('timeout', () => socket.destroy(new Error('/livez is silent')));
  await once(socket, 'connect');
  let longestMs = 0;
  while (!until.aborted) {
    const began = performance.now();
    socket.write(`GET /livez HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    longestMs = Math.max(longestMs, performance.now() - began);
    if (!answer.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error('/livez failed');
    await sleep(everyMs);
  }
  socket.destroy();
  return longestMs;
}

if (!isMainThread) {
  const stopping = new AbortController();
  parentPort.once('message', () => stopping.abort());
  try {
    const longest = await Promise.all(workerData.map((url) => poll(url, stopping.signal)));
    parentPort.postMessage({ longestMs: Math.max(...longest) });
  } catch (error) {
    parentPort.postMessage({ error: error.message });
  }
}
