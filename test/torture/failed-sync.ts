import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { watchLateness } from '../support/lateness.ts';
import { readEntries } from '../support/writers.ts';
import { atOnce, openClients, types } from './clients.ts';
import { swallowedCommit } from './controls.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Scene, type Server } from './scene.ts';
import { failSync, failSyncOf } from './strace.ts';
import { readSyncTrace, traceableId } from './sync-trace.ts';

const clientsCount = 16;
const endsWithinMs = 1000;
/** After this many messages beyond the failing sync, the process has ignored it. */
const messagesBehind = 500;
const patienceMs = 30_000;

const createCounts = () =>
  createTally(
    ['failed syncs', 'at the start', 'synced anew', 'acknowledged', 'reopened'],
    [
      ...journalFaults,
      'acknowledged unsynced',
      'went on',
      'ended late',
      'exit 0',
      'unclear end',
      'did not reopen',
    ],
  );
type Counts = ReturnType<typeof createCounts>;

/** The sync that fails: sync n of a thread, or the first one of a path next to the store's. */
type Which = number | 'folder' | 'log';

/** What the clients of one store know, across all its failures. */
type Ledger = { attempted: Map<string, string>; acknowledged: Set<string> };

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const numbers = pick({
    short: [...everyUpTo(12, 2), ...[20, 50, 100, 200].map((n) => n - random.whole(0, 9))],
    full: everyUpTo(200, 1),
    control: [60],
  });
  // The folder is synced when a store is created, the log when a killed store is opened.
  const paths: Which[] = pick({ short: ['folder', 'log'], full: ['folder', 'log'], control: [] });
  const tally = createCounts();
  await inScene(build, async (scene) => {
    let ledger = newLedger();
    for (const which of [...paths, ...numbers]) {
      // Half of the stores are new, so that the syncs of their creation fail, too.
      if (which === 'folder' || (which !== 'log' && random.chance(0.5))) {
        await Promise.all(['', '-wal'].map((end) => rm(scene.store + end, { force: true })));
        ledger = newLedger();
      }
      const before = ledger.acknowledged.size;
      await failOnce(scene, which, ledger, tally);
      await reopen(scene, ledger, tally);
      tally.did('acknowledged', ledger.acknowledged.size - before);
    }
  });
  return tally.outcome();
};

const newLedger = (): Ledger => ({ attempted: new Map(), acknowledged: new Set() });

const everyUpTo = (most: number, step: number): number[] =>
  Array.from({ length: Math.ceil(most / step) }, (_, index) => 1 + index * step);

/** Runs a server under load until a sync fails. */
const failOnce = async (
  scene: Scene,
  which: Which,
  ledger: Ledger,
  tally: Counts,
): Promise<void> => {
  const trace = join(scene.folder, 'trace');
  const path = which === 'folder' ? scene.folder : `${scene.store}-wal`;
  const through = typeof which === 'number' ? failSync(trace, which) : failSyncOf(trace, path);
  const server = await scene.start('logging', { through });
  const lateness = watchLateness();
  let endedAt: number | undefined;
  const ended = server.exited.then((exit) => {
    endedAt = Date.now();
    return exit;
  });
  const isReady = await server.ready.then(
    () => true,
    () => false,
  );
  // Each batch has a sync of its own, and is no larger than the number of clients.
  const enough = messagesBehind + (typeof which === 'number' ? which * clientsCount : 0);
  if (isReady) await sendUntil(server, () => endedAt !== undefined, enough, ledger);
  const goesOn = endedAt === undefined && isReady;
  if (goesOn) await server.kill();
  const { code } = await ended;
  lateness.stop();

  tally.did('failed syncs');
  if (!isReady) tally.did('at the start');
  const { unsynced, failed } = await readSyncTrace(trace);
  for (const id of unsynced) tally.found('acknowledged unsynced', `${id} at sync ${which}`);
  if (!failed) throw new Error(`No sync ${which} came`);
  if (goesOn && failed.isMended) return tally.did('synced anew');
  if (goesOn) return tally.found('went on', `over sync ${which}, of ${failed.path}`);
  const tookMs = endedAt! - failed.at;
  if (tookMs > endsWithinMs + 2 * lateness.maxMs())
    tally.found('ended late', `${tookMs} ms behind sync ${which}`);
  if (code === 0) tally.found('exit 0', `at sync ${which}`);
  const stderr = server.child.stderr().split('\n');
  const said = stderr.filter((line) => line && !line.startsWith('{'));
  if (said.length !== 1 || !/^mlog: .*store.*I\/O error/i.test(said[0]!)) {
    tally.found('unclear end', `at sync ${which}: ${said.join('\n')}`);
  }
};

/** Sends messages, whose ids can be found in the trace, until it is over or enough is stored. */
const sendUntil = async (
  { logging }: Server,
  isOver: () => boolean,
  enough: number,
  { attempted, acknowledged }: Ledger,
): Promise<void> => {
  const clients = openClients(clientsCount);
  const goal = acknowledged.size + enough;
  const lateMs = performance.now() + patienceMs;
  function* messages(): Generator<{ id: string; txt: string }> {
    while (!isOver() && acknowledged.size < goal && performance.now() < lateMs) {
      const n = attempted.size;
      const message = { id: traceableId('message', n), txt: `the text of ${n}` };
      attempted.set(message.id, message.txt);
      yield message;
    }
  }
  await atOnce(clientsCount, messages(), async (message) => {
    const body = `${JSON.stringify(message)}\n`;
    try {
      const { status } = await clients.post(`${logging}/logging`, { type: types.ndjson, body });
      if (status === 200) acknowledged.add(message.id);
    } catch {
      // The process is gone, or about to go.
    }
  });
  clients.close();
};

/** Starts without faults: the store must be intact, with everything that was acknowledged. */
const reopen = async (scene: Scene, ledger: Ledger, tally: Counts): Promise<void> => {
  // If a sync fails during its creation, there is no store.
  if (existsSync(scene.store)) {
    const { code, stdout } = await scene.run(['verify', '--store', `file:${scene.store}`]);
    if (code !== 0) tally.found('did not reopen', stdout);
  }
  const server = await scene.start('logging');
  try {
    await server.ready;
    const entries = await readEntries(server.logging);
    tally.did('reopened');
    judge(tally, entries, ledger);
  } catch (error) {
    tally.found('did not reopen', String(error));
  }
  await server.kill();
};

/** A failed sync is followed by no success, only by an exit and a new start. */
export const proof: Proof = {
  name: 'P10',
  promise: 'An I/O error never becomes a 2xx',
  crashModel: 'I/O error: EIO from the n-th sync of a thread, n = 1 … 200',
  target: 'ends non-zero within 1 s with a clear line, reopens well 200 of 200',
  needs: ['strace'],
  run,
  controls: [
    {
      name: 'a failed commit is a success',
      catches: 'acknowledged unsynced',
      patches: swallowedCommit,
    },
  ],
};
