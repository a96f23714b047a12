/**
 * Publishes with JetStream: node jetstream.js URL CONNECTIONS SECONDS
 *
 * Each message has a subject of its own and is accepted only while that subject is empty, which is
 * how a stream refuses repeats permanently. Prints one line of JSON.
 */

import { randomUUID } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { quantile } from '../report/statistics.js';
import { postedText } from './http.js';

const [servers, connectionCount, seconds] = process.argv.slice(2);
const connections = await Promise.all(
  Array.from({ length: Number(connectionCount) }, () => connect({ servers })),
);
const manager = await jetstreamManager(connections[0]);
await manager.streams.add({ name: 'bench', subjects: ['bench.>'] }).catch((error) => {
  // The warm-up has created it.
  if (!/already in use/.test(error.message)) throw error;
});

const payload = new TextEncoder().encode(postedText);
const times = [];
const began = performance.now();
const until = began + Number(seconds) * 1_000;
await Promise.all(connections.map((connection) => publish(jetstream(connection))));
const durationMs = performance.now() - began;
await Promise.all(connections.map((connection) => connection.close()));

console.log(
  JSON.stringify({
    perSecond: (times.length / durationMs) * 1_000,
    medianMs: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    answeredCount: times.length,
  }),
);

async function publish(stream) {
  while (performance.now() < until) {
    const sent = performance.now();
    await stream.publish(`bench.${randomUUID()}`, payload, { expect: { lastSubjectSequence: 0 } });
    times.push(performance.now() - sent);
  }
}
