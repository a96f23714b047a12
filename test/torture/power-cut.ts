import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { readEntries, startWriters, type Writers } from '../support/writers.ts';
import { runCommand } from './command.ts';
import { normalSync } from './controls.ts';
import { createImage, type Image, mountImage } from './image.ts';
import { journalFaults, judge, type Ledger } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import type { Random } from './random.ts';
import { inScene, type Scene, type Server } from './scene.ts';

const writersCount = 16;
const checkpointTimeoutMs = 20_000;
const createCounts = () =>
  createTally(
    ['cuts', 'in a checkpoint', 'in a first start', 'acknowledged'],
    [...journalFaults, 'damaged', 'unopened', 'unsynced data seen'],
  );

/** When the power fails: under load, during a checkpoint, or soon after the very first start. */
type Moment = 'load' | 'checkpoint' | 'first start';
type Counts = ReturnType<typeof createCounts>;

/** One file system from its creation. Each power cut is a copy of it, so there can be many. */
type Disk = {
  scene: Scene;
  image: Image;
  server: Server;
  writers: Writers;
  random: Random;
  tally: Counts;
};

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const plan: [moment: Moment, disks: number, cuts: number][] = pick({
    short: [
      ['first start', 6, 1],
      ['load', 1, 8],
      ['checkpoint', 1, 6],
    ],
    full: [
      ['first start', 50, 1],
      ['load', 5, 18],
      ['checkpoint', 4, 15],
    ],
    control: [['load', 1, 2]],
  });
  const tally = createCounts();
  // Images in memory are copied in milliseconds, and the flushes are the same.
  const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  for (const [moment, disks, cuts] of plan) {
    for (let disk = 0; disk < disks; disk += 1) {
      await inScene(build, async (scene) => {
        const folder = await mkdtemp(join(place, 'mlog-power-'));
        scene.defer(() => rm(folder, { recursive: true }));
        const image = await createImage(scene, join(folder, 'disk'));
        const server = await scene.start('all', { store: join(image.folder, 'mlog.db') });
        const writers = startWriters(server.facade, writersCount);
        scene.defer(writers.stop);
        scene.defer(server.kill);
        await cutMany({ scene, image, server, writers, random, tally }, moment, cuts);
        tally.did('acknowledged', writers.acknowledged.size);
      });
    }
  }
  return tally.outcome();
};

const cutMany = async (disk: Disk, moment: Moment, cuts: number): Promise<void> => {
  const { image, server, writers, random, tally } = disk;
  for (let cut = 1; cut <= cuts; cut += 1) {
    const probe = `probe-${cut}`;
    await writeFile(join(image.folder, probe), 'x'.repeat(10_000));
    await waitFor(moment, disk);
    // The last power cut also kills the server.
    const isLast = cut === cuts;
    if (isLast) await server.kill();
    else await pause(server.pid);
    // Sometimes the kernel has written back the store's file on its own.
    if (moment === 'checkpoint' && random.chance(0.3)) {
      await runCommand('sync', ['-d', join(image.folder, 'mlog.db')]);
    }
    await hearReplies();
    const copy = `${image.file}-copy`;
    const acknowledged = new Set(writers.acknowledged);
    await image.cut(copy);
    tally.did('cuts');
    if (moment === 'checkpoint') tally.did('in a checkpoint');
    if (moment === 'first start') tally.did('in a first start');
    await check(disk, copy, probe, { attempted: writers.attempted, acknowledged });
    if (!isLast) process.kill(server.pid, 'SIGCONT');
  }
};

const waitFor = async (moment: Moment, disk: Disk): Promise<void> => {
  const { image, server, writers, random } = disk;
  if (moment === 'first start') return await sleep(random.whole(0, 1000));
  await server.ready;
  await writers.progress(random.whole(1, 300));
  if (moment === 'checkpoint') await waitForCheckpoint(join(image.folder, 'mlog.db'));
  // Anywhere in a commit or a checkpoint.
  await sleep(random.whole(0, 10));
};

/** Resolves when the store's file itself is written to, which only a checkpoint does. */
const waitForCheckpoint = async (path: string): Promise<void> => {
  const before = (await stat(path)).mtimeMs;
  const deadline = performance.now() + checkpointTimeoutMs;
  while ((await stat(path)).mtimeMs === before) {
    if (performance.now() > deadline) throw new Error('No checkpoint came');
  }
};

/** Stops a process and waits until each of its threads is stopped, outside of a system call. */
const pause = async (pid: number): Promise<void> => {
  process.kill(pid, 'SIGSTOP');
  for (;;) {
    const tasks = await readdir(`/proc/${pid}/task`);
    const states = await Promise.all(
      tasks.map((task) => readFile(`/proc/${pid}/task/${task}/stat`, 'utf8').catch(() => ') T')),
    );
    if (states.every((state) => /^ [TtZX]/.test(state.slice(state.lastIndexOf(')') + 1)))) return;
    await sleep(1);
  }
};

/** Lets the replies of a stopped server arrive: they count as acknowledged before the power cut. */
const hearReplies = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
};

/** Starts from the copy like after a power cut: journal replay, verify, serve, compare. */
const check = async (
  { scene, random, tally }: Disk,
  file: string,
  probe: string,
  ledger: Ledger,
): Promise<void> => {
  const copy = await mountImage(scene, file);
  const seen = await readFile(join(copy.folder, probe), 'utf8').catch(() => '');
  // If it were there, the copy would hold more than a disk would, and prove nothing.
  if (seen.includes('x')) tally.found('unsynced data seen', probe);

  const store = join(copy.folder, 'mlog.db');
  const verify = async (): Promise<void> => {
    if (!existsSync(store)) return;
    const { code, stdout, stderr } = await scene.run(['verify', '--store', `file:${store}`]);
    if (code !== 0) tally.found('damaged', stdout + stderr);
  };
  const verifiesFirst = random.chance(0.5);
  if (verifiesFirst) await verify();
  const server = await scene.start('logging', { store });
  try {
    await server.ready;
    judge(tally, await readEntries(server.logging), ledger);
  } catch (error) {
    tally.found('unopened', String(error));
  }
  await server.kill();
  if (!verifiesFirst) await verify();
  await copy.unmount();
  await rm(file);
};

/** After a power cut, the disk holds everything that was acknowledged. */
export const proof: Proof = {
  name: 'P2',
  promise: 'A 2xx survives a power cut',
  crashModel: 'power cut (unsynced data lost)',
  target: '0 lost in 200 cuts, each store whole',
  needs: ['loop'],
  run,
  controls: [{ name: 'synchronous=NORMAL', catches: 'lost', patches: normalSync }],
};
