import type { Builds } from './build.ts';
import { whyNot } from './needs.ts';
import { type Form, isKept, type Outcome, type Proof, type Scale } from './proof.ts';
import { createRandom } from './random.ts';
import { closeAllScenes } from './scene.ts';

/** How a run is made. */
export type RunOptions = {
  form: 'short' | 'full';
  seed: number;
  minutes: number;
  builds: Builds;
};

/** The result of a control. */
export type ControlVerdict = {
  name: string;
  isCaught: boolean;
  /** The expected fault and its count, or why the control did not run. */
  seen: string;
};

/** The result of a proof and its controls. */
export type Verdict = {
  proof: Proof;
  status: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or could not run to its end. */
  reason: string | undefined;
  outcome: Outcome | undefined;
  controls: readonly ControlVerdict[];
  seconds: number;
};

const deadlineMs = { short: 180_000, control: 120_000, full: 3_600_000 } as const;

/** Runs a proof on the intact build, then its controls on broken ones. */
export const judgeProof = async (proof: Proof, options: RunOptions): Promise<Verdict> => {
  const began = performance.now();
  const verdict = (status: Verdict['status'], rest: Partial<Verdict> = {}): Verdict => ({
    proof,
    status,
    reason: undefined,
    outcome: undefined,
    controls: [],
    seconds: Math.round((performance.now() - began) / 1000),
    ...rest,
  });

  const missing = await whyNot(proof.needs);
  if (missing !== undefined) return verdict('skipped', { reason: missing });
  try {
    const outcome = await runWith(proof, options.form, options.builds.whole, options);
    const controls: ControlVerdict[] = [];
    for (const control of proof.controls) {
      controls.push(await judgeControl(proof, control, options));
    }
    const isPassed = isKept(outcome) && controls.every(({ isCaught }) => isCaught);
    return verdict(isPassed ? 'passed' : 'failed', { outcome, controls });
  } catch (error) {
    return verdict('failed', { reason: reasonOf(error) });
  }
};

/** A control is caught by the expected fault. That a broken build cannot run is not enough. */
const judgeControl = async (
  proof: Proof,
  { name, patches, catches, run = proof.run }: Proof['controls'][number],
  options: RunOptions,
): Promise<ControlVerdict> => {
  try {
    const build = await options.builds.breakWith(patches);
    const { faults } = await runWith({ ...proof, run }, 'control', build, options);
    const counts = [catches].flat().map((fault) => ({ fault, count: faults[fault] ?? 0 }));
    const { fault, count } = counts.find((one) => one.count > 0) ?? counts[0]!;
    return { name, isCaught: count > 0, seen: `${count} ${fault}` };
  } catch (error) {
    return { name, isCaught: false, seen: reasonOf(error) };
  }
};

const runWith = async (
  proof: Proof,
  form: Form,
  build: Scale['build'],
  { seed, minutes }: RunOptions,
): Promise<Outcome> => {
  const random = createRandom(seed, `${proof.name} ${form}`);
  let late: NodeJS.Timeout | undefined;
  const isLate = new Promise<never>((_, reject) => {
    const timeoutMs = deadlineMs[form] + minutes * 60_000;
    late = setTimeout(() => reject(new Error('It took far too long')), timeoutMs);
  });
  try {
    const scale: Scale = { form, build, random, minutes, pick: (sizes) => sizes[form] };
    return await Promise.race([proof.run(scale), isLate]);
  } finally {
    clearTimeout(late);
    // An interrupted run may have left something open.
    await closeAllScenes();
  }
};

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
