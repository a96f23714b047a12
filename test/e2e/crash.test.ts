import { beforeEach, expect, test } from 'vitest';
import { openSandbox, portOf, type Sandbox } from '../support/sandbox.ts';
import { findFaults, readEntries, startWriters } from '../support/writers.ts';

// Processes killed with SIGKILL under load. Everything answered with 200 is there afterwards.

const writersCount = 8;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await openSandbox();
  return () => sandbox.close();
});

/** Returns after how many messages to kill next, so that a kill hits any point of a commit. */
const untilKill = (): number => 1 + Math.floor(Math.random() * 60);

test('20 kills of the logging service lose, double and alter nothing', async () => {
  const patience = ['--retry-delay-ms', '100', '--attempt-timeout-ms', '2000'];
  const services = await sandbox.serveApart(...patience);
  let { logging } = services;
  const writers = startWriters(services.facade.url, writersCount);
  sandbox.defer(writers.stop);

  for (let kills = 0; kills < 20; kills += 1) {
    await writers.progress(untilKill());
    await logging.kill('SIGKILL');
    logging = await sandbox.serve('logging', '--port', portOf(logging.url));
  }
  await writers.progress(writersCount);
  await writers.stop();

  const entries = await readEntries(logging.url);
  expect(findFaults(entries, writers)).toStrictEqual([]);
  expect(writers.acknowledged.size).toBeGreaterThan(40);
  // Every failure was honest: three attempts, and the id to repeat.
  const others = writers.refusals.filter((refusal) => !/^500 \{"error":".*unknown/.test(refusal));
  expect(others).toStrictEqual([]);
});

test('5 kills of all three services in one process lose, double and alter nothing', async () => {
  let services = await sandbox.serveAll();
  const writers = startWriters(services.facade.url, writersCount);
  sandbox.defer(writers.stop);

  for (let kills = 0; kills < 5; kills += 1) {
    await writers.progress(untilKill());
    await services.facade.kill('SIGKILL');
    const { facade, logging, messages } = services;
    const ports = ['--port', portOf(facade.url), '--logging-port', portOf(logging.url)];
    services = await sandbox.serveAll(...ports, '--messages-port', portOf(messages.url));
  }
  await writers.progress(writersCount);
  await writers.stop();

  expect(findFaults(await readEntries(services.logging.url), writers)).toStrictEqual([]);
  expect(writers.refusals).toStrictEqual([]);
});

test('5 kills of the facade lose, double and alter nothing', async () => {
  const { facade, logging, messages } = await sandbox.serveApart();
  const writers = startWriters(facade.url, writersCount);
  sandbox.defer(writers.stop);

  let current = facade;
  for (let kills = 0; kills < 5; kills += 1) {
    await writers.progress(untilKill());
    await current.kill('SIGKILL');
    const below = ['--logging', logging.url, '--messages', messages.url];
    current = await sandbox.serve('facade', '--port', portOf(facade.url), ...below);
  }
  await writers.progress(writersCount);
  await writers.stop();

  expect(findFaults(await readEntries(logging.url), writers)).toStrictEqual([]);
  expect(writers.refusals).toStrictEqual([]);
});

test('a message is there when the kill comes right behind its reply', async () => {
  const attempted = new Map<string, string>();
  const acknowledged = new Set<string>();
  for (let kills = 0; kills < 5; kills += 1) {
    const { facade } = await sandbox.serveAll();
    const writers = startWriters(facade.url, 1);
    await writers.progress(1);
    await facade.kill('SIGKILL');
    await writers.stop();
    for (const [id, txt] of writers.attempted) attempted.set(id, txt);
    for (const id of writers.acknowledged) acknowledged.add(id);
  }
  const { logging } = await sandbox.serveAll();
  expect(findFaults(await readEntries(logging.url), { attempted, acknowledged })).toStrictEqual([]);
});
