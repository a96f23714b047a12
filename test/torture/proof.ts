import type { Build, Patch } from './build.ts';
import type { Need } from './needs.ts';
import type { Random } from './random.ts';

/**
 * The scale of a run: the short one of CI, the full one that is published, or just enough to catch
 * a control.
 */
export type Form = 'short' | 'full' | 'control';

/** What one run of a proof gets. */
export type Scale = {
  form: Form;
  /** The build under test. */
  build: Build;
  random: Random;
  /** How long a proof runs that is measured in time. */
  minutes: number;
  /** Chooses a size by the form. */
  pick: <T>(sizes: Record<Form, T>) => T;
};

/** The result of a run. */
export type Outcome = {
  /** What was done and seen, such as kills and acknowledged messages. */
  done: Readonly<Record<string, number>>;
  /** What must not happen, such as lost messages. If the promise is kept, every count is 0. */
  faults: Readonly<Record<string, number>>;
  /** The first faults, in words. */
  examples: readonly string[];
};

/** A build broken on purpose. A proof that does not catch it proves nothing. */
export type Control = {
  /** What is broken, such as `synchronous=NORMAL`. */
  name: string;
  patches: readonly Patch[];
  /** The fault that must be counted, or several of which one must be. */
  catches: string | readonly string[];
  /** The run that must catch it, if the run of the proof is not specific enough. */
  run?: Proof['run'];
};

/** A promise, and the program that tests it. */
export type Proof = {
  /** The number of the promise, such as `P1`. */
  name: string;
  promise: string;
  crashModel: string;
  target: string;
  needs: readonly Need[];
  /** Rejects only if the run itself fails. A broken promise is a fault in its outcome. */
  run: (scale: Scale) => Promise<Outcome>;
  controls: readonly Control[];
};

/** Counts what a proof does and what it finds. */
export type Tally<Done extends string, Fault extends string> = {
  did: (what: Done, count?: number) => void;
  found: (fault: Fault, example: string) => void;
  outcome: () => Outcome;
};

/** This many of each fault are described in words. */
const examplesMaxCount = 3;
const exampleMaxLength = 300;

/** Returns a tally of these counts, all zero. */
export const createTally = <Done extends string, Fault extends string>(
  dones: readonly Done[],
  faultNames: readonly Fault[],
): Tally<Done, Fault> => {
  const zeros = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 0]));
  const done = zeros(dones) as Record<Done, number>;
  const faults = zeros(faultNames) as Record<Fault, number>;
  const examples: string[] = [];
  return {
    did: (what, count = 1) => {
      done[what] += count;
    },
    found: (fault, example) => {
      faults[fault] += 1;
      if (faults[fault] > examplesMaxCount) return;
      examples.push(`${fault}: ${example}`.slice(0, exampleMaxLength));
    },
    outcome: () => ({ done, faults, examples }),
  };
};

/** Says whether an outcome keeps the promise. */
export const isKept = ({ faults }: Outcome): boolean =>
  Object.values(faults).every((count) => count === 0);
