import { randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Builds, openBuilds } from './build.ts';
import { proofs } from './proofs.ts';
import { breakOffScenes } from './scene.ts';
import { toComplaints, toPage, toTable } from './table.ts';
import { judgeProof, type Verdict } from './verdict.ts';

// The proofs of the promises, as a program: `npm run torture`, or with `-- --short` as in CI.

const usage = `npm run torture -- [options]
  --short       tens of cycles each, about five minutes in all; without it the published figures
  --only P1,P4  these proofs alone
  --minutes N   how long P7 and P14 run, each (30, and 0.3 with --short)
  --seed N      makes the same choices again
  --out FILE    where the page of figures goes (docs/torture.md after a whole run in the full form)
`;

const readOptions = () => {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const form = values.short ? ('short' as const) : ('full' as const);
  const names = values.only?.split(',').map((name) => name.trim().toUpperCase());
  const chosen = proofs.filter(({ name }) => names?.includes(name) ?? true);
  const minutes = Number(values.minutes ?? (form === 'short' ? 0.3 : 30));
  const seed = Number(values.seed ?? randomInt(2 ** 31));
  if (chosen.length !== (names?.length ?? proofs.length) || !(minutes > 0) || Number.isNaN(seed)) {
    throw new Error('This is not how it is called.');
  }
  const byDefault = form === 'full' && !names ? 'docs/torture.md' : undefined;
  return { form, chosen, minutes, seed, out: values.out ?? byDefault, help: values.help };
};

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const writePage = async (page: string, out: string): Promise<void> => {
  const path = resolve(fileURLToPath(new URL('../../', import.meta.url)), out);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, page);
};

let builds: Builds | undefined;

const torture = async (): Promise<boolean> => {
  const { form, chosen, minutes, seed, out, help } = readOptions();
  if (help) {
    say(usage);
    return true;
  }
  say(`The ${form} form, seed ${seed}`);
  builds = await openBuilds();
  const verdicts: Verdict[] = [];
  try {
    for (const proof of chosen) {
      const verdict = await judgeProof(proof, { form, seed, minutes, builds });
      verdicts.push(verdict);
      say(`${proof.name} ${verdict.status} in ${verdict.seconds} s: ${proof.promise}`);
    }
  } finally {
    await builds.close();
  }
  const facts = { form, seed, minutes };
  say(`\n${toTable(verdicts, facts)}`);
  for (const line of verdicts.flatMap(toComplaints)) say(line);
  if (out !== undefined) await writePage(toPage(verdicts, facts), out);

  const skipsAreFailures = process.env['CI'] === 'true';
  const passed = verdicts.filter(({ status }) => status === 'passed').length;
  const skipped = verdicts.filter(({ status }) => status === 'skipped').length;
  const failed = verdicts.length - passed - (skipsAreFailures ? 0 : skipped);
  say(`${passed} passed, ${failed} failed`);
  return failed === 0;
};

/** Ends at once, without leaving a process, a mount or a folder behind. */
const breakOff = async (why: unknown): Promise<void> => {
  process.exitCode = 1;
  process.stderr.write(`${why instanceof Error ? why.stack : String(why)}\n`);
  await breakOffScenes();
  await builds?.close();
  process.exit();
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void breakOff(`Broken off by ${signal}`));
}
process.once('uncaughtException', (error) => void breakOff(error));

try {
  process.exitCode = (await torture()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  process.exitCode = 2;
}
// Exits explicitly: after connections were reset, Node 20 sometimes loops forever in its clean-up.
process.exit();
