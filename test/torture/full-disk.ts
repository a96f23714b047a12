import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../support/http.ts';
import { readEntries, startWriters, type Writers } from '../support/writers.ts';
import { openClients, types } from './clients.ts';
import { runCommand } from './command.ts';
import { swallowedCommit } from './controls.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import type { Random } from './random.ts';
import { inScene, type Scene, type Server } from './scene.ts';

const writersCount = 16;
const diskMiB = 40;
const refusalsWanted = 30;

const createCounts = () =>
  createTally(
    ['times full', 'refused', 'acknowledged', 'stored'],
    [...journalFaults, 'other answers', 'unreadable', 'no recovery', 'ended', 'wrong start'],
  );
type Counts = ReturnType<typeof createCounts>;

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  // A store grows with every cycle. Before it fills the disk by itself, there is a new one.
  const disks = pick({ short: 1, full: 5, control: 1 });
  const cycles = pick({ short: 5, full: 10, control: 1 });
  const refusalTimeoutMs = pick({ short: 20_000, full: 20_000, control: 1000 });
  const tally = createCounts();
  for (let disk = 0; disk < disks; disk += 1) {
    await inScene(build, async (scene) => {
      await fillOften(scene, { cycles, refusalTimeoutMs, random, tally });
    });
  }
  return tally.outcome();
};

type Filling = { cycles: number; refusalTimeoutMs: number; random: Random; tally: Counts };

/** Fills and frees the disk of one server repeatedly, then checks its store. */
const fillOften = async (
  scene: Scene,
  { cycles, refusalTimeoutMs, random, tally }: Filling,
): Promise<void> => {
  const disk = await mountSmallDisk(scene);
  const store = join(disk, 'store', 'mlog.db');
  await startOnFullDisk(scene, disk, store, tally);

  const server = await scene.serve('all', { store });
  const writers = startWriters(server.facade, writersCount);
  scene.defer(writers.stop);
  let hasEnded = false;
  void server.exited.then(() => {
    hasEnded = true;
  });
  for (let cycle = 0; cycle < cycles && !hasEnded; cycle += 1) {
    await writers.progress(random.whole(1, 500));
    await fill(disk);
    await waitForRefusals(writers, refusalTimeoutMs);
    tally.did('times full');
    await checkFull(server, tally);
    await free(disk);
    await checkFreed(server, `first ${cycle}`, writers, tally);
  }
  const recovered = writers.progress(writersCount).then(
    () => true,
    () => false,
  );
  const goesOn = await Promise.race([recovered, server.exited.then(() => false)]);
  // A process that is about to end has stopped listening by then.
  if (!goesOn) await Promise.race([server.exited, sleep(2_000)]);
  if (hasEnded) tally.found('ended', server.child.stderr().slice(-300));
  else if (!goesOn) tally.found('no recovery', 'at the end');
  await writers.stop();

  for (const refusal of writers.refusals) {
    if (!/^50[37] /.test(refusal)) tally.found('other answers', refusal);
  }
  await server.kill();
  const next = await server.again();
  await next.ready;
  const entries = await readEntries(next.logging);
  tally.did('refused', writers.refusals.length);
  tally.did('acknowledged', writers.acknowledged.size);
  tally.did('stored', entries.length);
  judge(tally, entries, writers);
};

const mountSmallDisk = async (scene: Scene): Promise<string> => {
  const disk = join(scene.folder, 'disk');
  await mkdir(disk);
  await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${diskMiB}m`, 'tmpfs', disk]);
  scene.defer(() => runCommand('umount', [disk]));
  return disk;
};

const ballastOf = (disk: string): string => join(disk, 'ballast');
const free = (disk: string): Promise<void> => rm(ballastOf(disk), { force: true });

/** Fills the disk to its last page. */
const fill = async (disk: string): Promise<void> => {
  const file = await open(ballastOf(disk), 'a');
  try {
    for (let size = 1_048_576; size >= 4096;) {
      const isFull = await file.write(Buffer.alloc(size)).then(
        ({ bytesWritten }) => bytesWritten < size,
        () => true,
      );
      if (isFull) size /= 16;
    }
  } finally {
    await file.close();
  }
};

/**
 * A server that cannot create its store says so, and leaves nothing that prevents a later start.
 */
const startOnFullDisk = async (
  scene: Scene,
  disk: string,
  store: string,
  tally: Counts,
): Promise<void> => {
  await fill(disk);
  const server = await scene.start('logging', { store });
  const isReady = await server.ready.then(
    () => true,
    () => false,
  );
  const { code } = await server.kill();
  const said = server.child.stderr();
  if (isReady || code === 0 || !/^mlog: .*\n$/.test(said)) tally.found('wrong start', said);
  await free(disk);
};

/** Waits until writers are refused: the log of the store first uses up room of its own. */
const waitForRefusals = async (writers: Writers, timeoutMs: number): Promise<void> => {
  const goal = writers.refusals.length + refusalsWanted;
  const deadline = performance.now() + timeoutMs;
  while (writers.refusals.length < goal && performance.now() < deadline) await sleep(5);
};

/** While nothing can be stored, everything can be read. */
const checkFull = async ({ logging }: Server, tally: Counts): Promise<void> => {
  try {
    const reply = await request(`${logging}/logging?last=10`);
    const texts = JSON.parse(reply.text) as string[];
    if (reply.status !== 200 || texts.length === 0) tally.found('unreadable', reply.text);
  } catch (error) {
    tally.found('unreadable', String(error));
  }
};

/** The first message after space was freed is stored. */
const checkFreed = async (
  { facade }: Server,
  id: string,
  { attempted, acknowledged }: Writers,
  tally: Counts,
): Promise<void> => {
  const clients = openClients(1);
  try {
    const message = { id, txt: 'behind the freeing' };
    (attempted as Map<string, string>).set(id, message.txt);
    const body = JSON.stringify(message);
    const { status, text } = await clients.post(facade, { type: types.json, body });
    if (status === 200) (acknowledged as Set<string>).add(id);
    else tally.found('no recovery', `${status} ${text}`);
  } catch (error) {
    tally.found('no recovery', String(error));
  } finally {
    clients.close();
  }
};

/**
 * On a full disk, the service refuses messages, continues to serve reads, and recovers by itself.
 */
export const proof: Proof = {
  name: 'P9',
  promise: 'Disk full: refuse, go on reading, recover',
  crashModel: 'disk full',
  target: '507 or 503 only, 0 acknowledged lost, the first write after freeing works, no restart',
  needs: ['mount'],
  run,
  controls: [
    { name: 'a failed commit is a success', catches: 'lost', patches: swallowedCommit },
    {
      name: 'a full disk ends the process',
      catches: 'ended',
      patches: [
        {
          find: 'Free some space; the service continues by itself.",\n      fatal: false',
          replace: '",\n      fatal: true',
        },
      ],
    },
  ],
};
