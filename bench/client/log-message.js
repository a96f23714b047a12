/**
 * Calls LogMessage on one connection, several calls at a time, for a time or up to a count. Prints
 * the result as JSON. Each id is new.
 */

import { randomBytes } from 'node:crypto';
import { Client, credentials } from '@grpc/grpc-js';

const [url, calls, seconds, count] = process.argv.slice(2);
const client = new Client(url.replace('grpc://', ''), credentials.createInsecure());
const same = (bytes) => bytes;
const run = randomBytes(8).toString('hex');
const deadline = performance.now() + Number(seconds) * 1_000;
const countMax = Number(count);
const took = [];
let sent = 0;

function request(n) {
  const id = `${run}-${String(n).padStart(19, '0')}`;
  const txt = 'A message of the length that people write, or so.';
  return Buffer.concat([field(1, id), field(2, txt)]);
}

/** Encodes a text as a field of protobuf, with both numbers in one byte each. */
function field(number, text) {
  return Buffer.concat([Buffer.from([number * 8 + 2, text.length]), Buffer.from(text)]);
}

function call(bytes) {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/LoggingService/LogMessage', same, same, bytes, (error, reply) =>
      error ? reject(error) : resolve(reply),
    );
  });
}

async function callInTurn() {
  while (performance.now() < deadline && sent < countMax) {
    sent += 1;
    const began = performance.now();
    await call(request(sent));
    took.push(performance.now() - began);
  }
}

const began = performance.now();
await Promise.all(Array.from({ length: Number(calls) }, callInTurn));
const elapsedSeconds = (performance.now() - began) / 1_000;
client.close();
took.sort((a, b) => a - b);
const at = (part) => took[Math.min(took.length - 1, Math.floor(took.length * part))];
console.log(
  JSON.stringify({
    perSecond: took.length / elapsedSeconds,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    answeredCount: took.length,
  }),
);
