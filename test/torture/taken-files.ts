import { copyFile, link, readFile, rename, rm, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readEntries, startWriters } from '../support/writers.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Scale } from './proof.ts';
import { inScene, type Scene } from './scene.ts';

const writersCount = 4;
const clearEnd = /\nmlog: The (?:store|log) .+ was (?:removed|replaced) while/;
const exitTimeoutMs = 5_000;

/** What happens to the files of a store while a service has it open, and afterwards. */
type Trouble = {
  name: string;
  happen: (scene: Scene) => Promise<void>;
  /** Restores what was taken, as the hint of the error says; absent if it is lost. */
  mend?: (scene: Scene) => Promise<void>;
};

const aside = ({ store }: Scene): string => `${store}.aside`;

const replace = async (scene: Scene, path: string): Promise<void> => {
  await copyFile(path, aside(scene));
  await rename(aside(scene), path);
};

const nothing = async (): Promise<void> => {};

const troubles: readonly Trouble[] = [
  { name: 'the file is removed', happen: ({ store }) => unlink(store) },
  { name: 'the file is replaced', happen: (scene) => replace(scene, scene.store) },
  {
    name: 'the file is moved',
    happen: (scene) => rename(scene.store, aside(scene)),
    mend: (scene) => rename(aside(scene), scene.store),
  },
  { name: 'the log is removed', happen: ({ store }) => unlink(`${store}-wal`), mend: nothing },
  {
    name: 'the log is replaced',
    happen: (scene) => replace(scene, `${scene.store}-wal`),
    mend: nothing,
  },
];

/** The faults that a store may show when its files are taken from a running service. */
export const takenFaults = [...journalFaults, 'went on', 'not refused', 'unclear end'] as const;

const createCounts = () => createTally(['taken', 'acknowledged'], takenFaults);
type Counts = ReturnType<typeof createCounts>;

/** Takes the files of a store from a service that is storing messages. */
export const runTaken = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const tally = createCounts();
  for (let rounds = pick({ short: 1, full: 10, control: 1 }); rounds > 0; rounds -= 1) {
    for (const trouble of troubles) {
      await inScene(build, (scene) => takeFiles(scene, trouble, random.whole(1, 200), tally));
      tally.did('taken');
    }
    await inScene(build, (scene) => startByLink(scene, tally));
  }
  return tally.outcome();
};

const takeFiles = async (
  scene: Scene,
  { name, happen, mend }: Trouble,
  more: number,
  tally: Counts,
): Promise<void> => {
  const service = await scene.serve('all');
  const writers = startWriters(service.facade, writersCount);
  scene.defer(writers.stop);
  await writers.progress(more);
  await happen(scene);
  const late = sleep(exitTimeoutMs, undefined, { ref: false });
  const exit = await Promise.race([service.exited, late]);
  await writers.stop();
  tally.did('acknowledged', writers.acknowledged.size);
  if (!exit) {
    tally.found('went on', name);
    await service.kill();
    return; // From here on nothing is as it should be.
  }
  if (exit.code === 0 || !clearEnd.test(service.child.stderr())) {
    tally.found('unclear end', `${name}: ${exit.code} ${service.child.stderr().slice(-200)}`);
  }
  if (!mend) {
    // The log does not belong to what is at the path now.
    const log = await readFile(`${scene.store}-wal`);
    const again = await scene.start('logging');
    const isReady = await again.ready.then(
      () => true,
      () => false,
    );
    if (isReady && name === 'the file is removed') tally.found('not refused', name);
    await again.kill();
    if (!isReady && !log.equals(await readFile(`${scene.store}-wal`))) {
      tally.found('lost', `${name}: the log was changed`);
    }
    return;
  }
  await mend(scene);
  const again = await scene.serve('logging');
  judge(tally, await readEntries(again.logging), writers);
};

/** A store killed under one name is not started under another one, where its log is missing. */
const startByLink = async (scene: Scene, tally: Counts): Promise<void> => {
  const service = await scene.serve('all');
  const writers = startWriters(service.facade, writersCount);
  await writers.progress(20);
  await service.kill();
  await writers.stop();
  await link(scene.store, aside(scene));
  const other = await scene.start('logging', { store: aside(scene) });
  const isReady = await other.ready.then(
    () => true,
    () => false,
  );
  if (isReady) tally.found('not refused', 'a hard link');
  await other.kill();
  await rm(aside(scene));
  const again = await scene.serve('logging');
  judge(tally, await readEntries(again.logging), writers);
};
