import { link, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readEntries, startWriters } from '../support/writers.ts';
import { journalFaults, judge, type Ledger } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Run, type Scene, type Server } from './scene.ts';

const writersCount = 8;
const racersCount = 4;

const createCounts = () =>
  createTally(
    ['second servers', 'races', 'acknowledged'],
    [
      ...journalFaults,
      'two owners',
      'no owner',
      'unclear refusal',
      'first one harmed',
      'not whole by a link',
    ],
  );
type Counts = ReturnType<typeof createCounts>;

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const rounds = pick({ short: 4, full: 50, control: 1 });
  const races = pick({ short: 2, full: 20, control: 0 });
  const tally = createCounts();
  await inScene(build, async (scene) => {
    const first = await scene.serve('all');
    const writers = startWriters(first.facade, writersCount);
    scene.defer(writers.stop);
    const names = await nameTwice(scene);
    const tries = Array.from({ length: rounds }, () => names).flat();
    for (const store of tries) {
      await writers.progress(random.whole(1, 50));
      const isOwner = await tryAsSecond(scene, store, tally);
      if (isOwner) return; // From here on nothing is as it should be.
    }
    const path = `file:${random.pick(names)}`;
    expectRefusal(await scene.run(['verify', '--store', path]), 'verify', tally);
    await writers.progress(writersCount);
    await writers.stop();
    for (const refusal of writers.refusals) tally.found('first one harmed', refusal);
    tally.did('acknowledged', writers.acknowledged.size);
    judge(tally, await readEntries(first.logging), writers);
    await first.kill();
    await openByLink(scene, names[1]!, writers, tally);
  });
  for (let round = 0; round < races; round += 1) {
    await inScene(build, (scene) => race(scene, tally));
    tally.did('races');
  }
  return tally.outcome();
};

/** The store under its own name, a symbolic link, a hard link and a path with detours. */
const nameTwice = async ({ folder, store }: Scene): Promise<string[]> => {
  const names = ['symbolic', 'hard'].map((name) => join(folder, `${name}.db`));
  await symlink(store, names[0]!);
  await link(store, names[1]!);
  return [store, ...names, `${folder}/../${basename(folder)}//${basename(store)}`];
};

/** A store that was killed under its own name is whole under the name of a symbolic link, too. */
const openByLink = async (
  scene: Scene,
  store: string,
  writers: Ledger,
  tally: Counts,
): Promise<void> => {
  const { code, stdout } = await scene.run(['verify', '--store', `file:${store}`]);
  if (code !== 0) tally.found('not whole by a link', stdout);
  const server = await scene.serve('logging', { store });
  judge(tally, await readEntries(server.logging), writers);
  await server.kill();
};

/** Starts a second server; says whether it could be started. */
const tryAsSecond = async (scene: Scene, store: string, tally: Counts): Promise<boolean> => {
  tally.did('second servers');
  const second = await scene.start('logging', { store });
  if (await isReady(second)) {
    tally.found('two owners', store);
    return true;
  }
  const exit = await second.exited;
  expectRefusal({ ...exit, stdout: '', stderr: second.child.stderr() }, store, tally);
  return false;
};

const isReady = (server: Server): Promise<boolean> =>
  server.ready.then(
    () => true,
    () => false,
  );

const expectRefusal = ({ code, stderr }: Run, what: string, tally: Counts): void => {
  if (code === 0 || code === null) tally.found('two owners', what);
  else if (!/^mlog: The store .* is in use by another process\. .+\n$/.test(stderr)) {
    tally.found('unclear refusal', `${what}: ${stderr}`);
  }
};

/** Several servers start at once on a store that is not there yet: one of them gets it. */
const race = async (scene: Scene, tally: Counts): Promise<void> => {
  const racers = await Promise.all(
    Array.from({ length: racersCount }, () => scene.start('logging')),
  );
  const areReady = await Promise.all(racers.map(isReady));
  const owners = racers.filter((_, index) => areReady[index]);
  if (owners.length > 1) tally.found('two owners', `${owners.length} of ${racersCount} racers`);
  if (owners.length === 0) tally.found('no owner', racers[0]!.child.stderr());
  for (const [index, { child, exited }] of racers.entries()) {
    if (areReady[index]) continue;
    const exit = await exited;
    expectRefusal({ ...exit, stdout: '', stderr: child.stderr() }, 'a racer', tally);
  }
  await Promise.all(racers.map((racer) => racer.kill()));
  await rm(scene.store, { force: true });
};

/** A store belongs to one process; another one is told so and changes nothing. */
export const proof: Proof = {
  name: 'P13',
  promise: 'One owner a store',
  crashModel: 'a second server on the same file, by any name of it',
  target: 'exits non-zero with a clear text, the first unharmed',
  needs: [],
  run,
  controls: [
    {
      name: 'no lock',
      catches: 'two owners',
      patches: [
        { find: 'PRAGMA locking_mode = EXCLUSIVE', replace: 'PRAGMA locking_mode = NORMAL' },
      ],
    },
  ],
};
