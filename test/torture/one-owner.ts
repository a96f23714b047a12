import { link, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readEntries, startWriters } from '../support/writers.ts';
import { journalFaults, judge, type Ledger } from './ledger.ts';
import { createTally, isKept, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Run, type Scene, type Server } from './scene.ts';

const writersCount = 8;
const racersCount = 4;

const createCounts = () =>
  createTally(
    ['second servers', 'races', 'checks beside a start', 'acknowledged'],
    [
      ...journalFaults,
      'two owners',
      'no owner',
      'unclear refusal',
      'first one harmed',
      'not intact by a link',
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
      const isServing = await writers.progress(random.whole(1, 50)).then(
        () => true,
        () => false,
      );
      if (!isServing) return tally.found('first one harmed', first.child.stderr().slice(-300));
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
  await inScene(build, (scene) => verifyBesideStarts(scene, pick(checkCounts), random, tally));
  for (let round = 0; round < races; round += 1) {
    await inScene(build, (scene) => race(scene, tally));
    tally.did('races');
  }
  return tally.outcome();
};

const checkCounts = { short: 6, full: 60, control: 0 };
/** A check by a broken build does harm in about one of eight starts. */
const harmfulChecksMaxCount = 80;

/** The longest time from the start of a service until it has its log. */
const startMaxMs = 400;

/** A check that ends while a service starts removes nothing of it. */
const verifyBesideStarts = async (
  scene: Scene,
  count: number,
  random: Scale['random'],
  tally: Counts,
): Promise<void> => {
  const attempted = new Map<string, string>();
  const acknowledged = new Set<string>();
  await (await scene.serve('all')).kill('SIGTERM');
  for (let round = 0; round < count && isKept(tally.outcome()); round += 1) {
    const starting = scene.start('all');
    await sleep(random.whole(0, startMaxMs));
    const checking = scene.run(['verify', '--store', `file:${scene.store}`]);
    let server = await starting;
    // A check that has the log open may legitimately prevent the start.
    if (!(await isReady(server))) server = await server.again();
    await server.ready;
    const writers = startWriters(server.facade, 2);
    await writers.progress(20);
    await checking;
    await writers.progress(20);
    await writers.stop();
    for (const [id, txt] of writers.attempted) attempted.set(id, txt);
    for (const id of writers.acknowledged) acknowledged.add(id);
    await server.kill();
    tally.did('checks beside a start');
    const again = await scene.serve('logging');
    judge(tally, await readEntries(again.logging), { attempted, acknowledged });
    // Closed, so that the next start has no log at first.
    await again.kill('SIGTERM');
  }
};

/** Runs only the part with the checks, until one of them does harm. */
const runChecks = async ({ build, random }: Scale): Promise<Outcome> => {
  const tally = createCounts();
  await inScene(build, (scene) => verifyBesideStarts(scene, harmfulChecksMaxCount, random, tally));
  return tally.outcome();
};

/** The store under its own name, a symbolic link, a hard link, and a path with detours. */
const nameTwice = async ({ folder, store }: Scene): Promise<string[]> => {
  const names = ['symbolic', 'hard'].map((name) => join(folder, `${name}.db`));
  await symlink(store, names[0]!);
  await link(store, names[1]!);
  return [store, ...names, `${folder}/../${basename(folder)}//${basename(store)}`];
};

/** A store that was killed under its own name is intact under the name of a symbolic link. */
const openByLink = async (
  scene: Scene,
  store: string,
  writers: Ledger,
  tally: Counts,
): Promise<void> => {
  const { code, stdout } = await scene.run(['verify', '--store', `file:${store}`]);
  if (code !== 0) tally.found('not intact by a link', stdout);
  const server = await scene.serve('logging', { store });
  judge(tally, await readEntries(server.logging), writers);
  await server.kill();
};

/** Starts a second server. Returns whether it could be started. */
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

/** Several servers start at once on a store that does not exist: one of them gets it. */
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

/** A store belongs to one process. Another process is refused and changes nothing. */
export const proof: Proof = {
  name: 'P13',
  promise: 'One owner a store',
  crashModel: 'a second server on the same file, under any of its names',
  target: 'exits non-zero with a clear text, the first unharmed',
  needs: [],
  run,
  controls: [
    {
      name: 'no lock',
      // A second owner may end the first one before it is ready itself.
      catches: ['two owners', 'first one harmed'],
      patches: [
        {
          find: 'PRAGMA locking_mode = EXCLUSIVE',
          replace: 'PRAGMA locking_mode = NORMAL',
          times: 2,
        },
      ],
    },
    {
      name: 'a check removes the log that it has not seen before',
      catches: 'lost',
      run: runChecks,
      patches: [
        {
          find: 'async function verifySqliteStore(path) {',
          replace: `async function verifySqliteStore(path) {
            const { existsSync, rmSync } = await import('node:fs');
            const hadLog = existsSync(path + '-wal');
            try {
              return await verifyOnly(path);
            } finally {
              if (!hadLog) rmSync(path + '-wal', { force: true });
            }
          }
          async function verifyOnly(path) {`,
        },
        // The files would be checked and the fault reported at once.
        { find: 'this.#files.checkAfterChange();', replace: '' },
        { find: 'return opened.files.check();', replace: 'return;' },
      ],
    },
  ],
};
