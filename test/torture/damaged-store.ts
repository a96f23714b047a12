import { readFile, rm, writeFile } from 'node:fs/promises';
import { type Damage, damages } from './damage.ts';
import { type Files, makeOriginals, type Originals } from './originals.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { readWhole } from './read-whole.ts';
import { inScene, type Run, type Scene, type Server } from './scene.ts';
import { runTaken } from './taken-files.ts';

const createCounts = () =>
  createTally(
    ['damaged', 'refused', 'served in part', 'served whole'],
    [
      'emptied',
      'altered',
      'repeated',
      'untold',
      'changed',
      'unclear refusal',
      'not refused',
      'refused needlessly',
      'whole not served',
    ],
  );
type Counts = ReturnType<typeof createCounts>;

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const rounds = pick({ short: 1, full: 25, control: 1 });
  const kinds = damages.filter(pick({ short: () => true, full: () => true, control: isTelling }));
  const tally = createCounts();
  await inScene(build, async (scene) => {
    const originals = await makeOriginals(scene);
    for (let round = 0; round < rounds; round += 1) {
      for (const damage of kinds) {
        const { closed, killed, foreign, newer } = originals;
        const files = { closed, killed, foreign, newer }[damage.of] as Required<Files>;
        const damaged = damage.make(files, random, originals);
        await judgeDamaged(scene, damage, damaged, originals, tally);
        tally.did('damaged');
      }
    }
  });
  return tally.outcome();
};

/** These are enough to catch a control. */
const isTelling = ({ name }: Damage): boolean =>
  [
    'a flipped bit in a text',
    'no log after a kill',
    'the last copy beside a newer log',
    'noise',
  ].includes(name);

const judgeDamaged = async (
  scene: Scene,
  damage: Damage,
  files: Files,
  originals: Originals,
  tally: Counts,
): Promise<void> => {
  await place(scene, files);
  const verified = await scene.run(['verify', '--store', `file:${scene.store}`]);
  const isTold = verified.code !== 0;
  const isLeft = await isUnchanged(scene, files);
  if (isTold && !isLeft) tally.found('changed', `${damage.name}: verify`);

  await place(scene, files);
  const server = await scene.start('logging');
  const isReady = await server.ready.then(
    () => true,
    () => false,
  );
  if (isReady) {
    await judgeServed(server, damage, originals, isTold, tally);
    await server.kill();
    return;
  }
  tally.did('refused');
  const exit = await server.exited;
  const refusal = { ...exit, stdout: '', stderr: server.child.stderr() };
  judgeRefusal(refusal, scene.store, damage, tally);
  if (!isTold) tally.found('untold', `${damage.name}: refused, but verify says nothing`);
  if (!(await isUnchanged(scene, files))) tally.found('changed', `${damage.name}: serve`);
};

const judgeRefusal = (
  { code, stderr }: Run,
  store: string,
  damage: Damage,
  tally: Counts,
): void => {
  // One line with what happened, to which file, and what to do next.
  const isClear = /^mlog: .+\. .+\.\n$/.test(stderr) && stderr.includes(store);
  if (code === 0 || code === null || !isClear) {
    tally.found('unclear refusal', `${damage.name}: ${code} ${stderr}`);
  }
  if (damage.expected !== 'refused' && damage.expected !== 'told') {
    tally.found('refused needlessly', `${damage.name}: ${stderr}`);
  }
};

const judgeServed = async (
  server: Server,
  { name, of, expected }: Damage,
  { entries, closedCount }: Originals,
  isTold: boolean,
  tally: Counts,
): Promise<void> => {
  if (expected === 'refused') tally.found('not refused', name);
  const stored = of === 'killed' ? entries : entries.slice(0, closedCount);
  const served = await readWhole(server);
  const left = new Set(stored.map(({ seq }) => seq));
  let repeats = 0;
  for (const { seq, id, txt } of served) {
    const original = stored[seq - 1];
    if (original?.id !== id || original.txt !== txt) {
      tally.found('altered', `${name}: entry ${seq} is ${JSON.stringify([id, txt])}`);
    } else if (!left.delete(seq)) {
      repeats += 1;
    }
  }
  if (repeats > 0) tally.found('repeated', `${name}: ${repeats} of ${served.length} entries`);
  const missing = [...left];
  tally.did(missing.length === 0 ? 'served whole' : 'served in part');
  const told = isTold || expected === 'prefix';
  if (missing.length > 0 && !told) tally.found('untold', `${name}: ${missing.length} missing`);
  if (served.length === 0 && !told) tally.found('emptied', name);

  const isWrong = {
    told: false,
    refused: false,
    'one entry': missing.length !== 1,
    database: missing.length !== stored.length - closedCount || missing[0] !== closedCount + 1,
    prefix: missing.length > 0 && missing[0] !== stored.length - missing.length + 1,
  }[expected];
  if (isWrong) tally.found('whole not served', `${name}: missing ${missing.length}: ${missing[0]}`);
};

const paths = ({ store }: Scene): [keyof Files, string][] => [
  ['database', store],
  ['log', `${store}-wal`],
];

const place = async (scene: Scene, files: Files): Promise<void> => {
  await rm(`${scene.store}-shm`, { force: true });
  for (const [name, path] of paths(scene)) {
    await rm(path, { force: true });
    const bytes = files[name];
    if (bytes) await writeFile(path, bytes);
  }
};

const isUnchanged = async (scene: Scene, files: Files): Promise<boolean> => {
  for (const [name, path] of paths(scene)) {
    const bytes = await readFile(path).catch(() => undefined);
    const before = files[name];
    if (before ? !bytes?.equals(before) : bytes !== undefined) return false;
  }
  return true;
};

/** Runs both kinds of damage: to a closed store, and to one that a service has open. */
const runAll = async (scale: Scale): Promise<Outcome> => {
  const [closed, open] = [await run(scale), await runTaken(scale)];
  const faults: Record<string, number> = { ...closed.faults };
  for (const [name, count] of Object.entries(open.faults))
    faults[name] = (faults[name] ?? 0) + count;
  return {
    done: { ...closed.done, ...open.done },
    faults,
    examples: [...closed.examples, ...open.examples],
  };
};

/** A damaged store is refused or reported, and never replaced by an empty one. */
export const proof: Proof = {
  name: 'P18',
  promise: 'A damaged store is never silently emptied',
  crashModel:
    'flipped bits, truncation, a missing, older or foreign log, a wrong file, a later format; ' +
    'files removed, moved or replaced under a running service',
  target: 'refuses with a hint and changes nothing, or serves what is whole; verify tells each',
  needs: [],
  run: runAll,
  controls: [
    {
      name: 'no checksum',
      catches: 'altered',
      run,
      patches: [
        { find: 'function sumOf(seq, id, txt) {', replace: 'function sumOf() { return 0;' },
      ],
    },
    {
      name: 'a lost log is not detected',
      catches: 'untold',
      run,
      patches: [
        {
          find: 'function findLostLog(',
          replace: 'function findLostLog() {}\nfunction lookForLog(',
        },
      ],
    },
    {
      name: 'a log is accepted for any file',
      catches: 'not refused',
      run,
      patches: [
        {
          find: 'function belongs(',
          replace: 'function belongs() { return true; }\nfunction doesBelong(',
        },
      ],
    },
    {
      name: 'files are not checked',
      catches: 'went on',
      run: runTaken,
      patches: [
        {
          find: 'function isAt(',
          replace: 'function isAt() { return true; }\nfunction isThere(',
        },
      ],
    },
    {
      name: 'an unreadable store is replaced by a new one',
      catches: 'not refused',
      run,
      patches: [
        {
          find: 'async function openStoreFile(',
          replace: `async function openStoreFile(path) {
            return await openOrRefuse(path).catch(async () => {
              await (await import('node:fs/promises')).rm(path, { force: true });
              return await openOrRefuse(path);
            });
          }
          async function openOrRefuse(`,
        },
      ],
    },
  ],
};
