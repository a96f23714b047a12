import { once } from 'node:events';
import { connect } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { quantile } from '../report/statistics.js';

const mark = '"txt":"sent at ';

/** Returns the text of a message with its sending time: 50 bytes. */
export function timedText() {
  return `sent at ${process.hrtime.bigint()} `.padEnd(50, 'm');
}

/**
 * Follows a journal over this many connections, from its end, in a thread of its own. `stop`
 * returns how many events arrived, and how long after the sending of their messages: median and
 * 99th percentile.
 */
export async function startFollowers(url, count) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { url, count } });
  const [begun] = await once(worker, 'message');
  if (begun.error) throw new Error(begun.error);
  return {
    /** Forgets what has arrived so far. */
    reset() {
      worker.postMessage('reset');
    },
    async stop() {
      const told = once(worker, 'message');
      worker.postMessage('stop');
      const [result] = await told;
      await worker.terminate();
      return result;
    },
  };
}

async function follow({ url, count }) {
  const { hostname, port, host } = new URL(url);
  let delaysMs = [];
  const sockets = Array.from({ length: count }, () => connect(Number(port), hostname));
  for (const socket of sockets) {
    socket.write(`GET /logging HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`);
    let rest = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      const now = process.hrtime.bigint();
      const text = rest + chunk;
      let end = 0;
      for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, end)) {
        const space = text.indexOf(' ', at + mark.length);
        if (space < 0) break;
        end = space;
        delaysMs.push(Number(now - BigInt(text.slice(at + mark.length, space))) / 1e6);
      }
      rest = text.slice(Math.max(end, text.length - 200));
    });
  }
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  parentPort.postMessage({});
  for (let order = 'reset'; order === 'reset';) {
    [order] = await once(parentPort, 'message');
    if (order === 'reset') delaysMs = [];
  }
  for (const socket of sockets) socket.destroy();
  parentPort.postMessage({
    events: delaysMs.length,
    medianMs: quantile(delaysMs, 0.5),
    p99Ms: quantile(delaysMs, 0.99),
  });
}

if (!isMainThread) {
  try {
    await follow(workerData);
  } catch (error) {
    parentPort.postMessage({ error: error.message });
  }
}
