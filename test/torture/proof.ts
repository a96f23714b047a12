import type { Build, Patch } from './build.ts';
import type { Need } from './needs.ts';
import type { Random } from './random.ts';

/** How much is done: CI's short form, the published full one, or just enough to catch a control. */
export type Form = 'short' | 'full' | 'control';

/** What one run of a proof is given. */
export type Scale = {
  form: Form;
  /** The build that is put to the test. */
  build: Build;
  random: Random;
  /** How long a proof runs that is measured in time. */
  minutes: number;
  /** Chooses a size by the form. */
  pick: <T>(sizes: Record<Form, T>) => T;
};

/** The figure as measured. */
export type Outcome = {
  /** What was done and seen, such as kills and acknowledged messages. */
  done: Readonly<Record<string, number>>;
  /** What must never be, such as lost messages: every count is 0 where the promise is kept. */
  faults: Readonly<Record<string, number>>;
  /** The first of the faults, in words. */
  examples: readonly string[];
};

/** A build broken on purpose; a proof that does not see it proves nothing. */
export type Control = {
  /** What is broken, such as `synchronous=NORMAL`. */
  name: string;
  patches: readonly Patch[];
  /** The count among the faults that has to rise, or several of which one has to. */
  catches: string | readonly string[];
  /** The run that has to see it, where that of the proof would not tell what saw it. */
  run?: Proof['run'];
};

/** A promise, and the program that puts it to the test. */
export type Proof = {
  /** The number of the promise, such as `P1`. */
  name: string;
  promise: string;
  crashModel: string;
  target: string;
  needs: readonly Need[];
  /** Rejects only where the run itself went wrong; a broken promise is a fault in its outcome. */
  run: (scale: Scale) => Promise<Outcome>;
  controls: readonly Control[];
};

/** Counts what a proof does and what it finds. */
export type Tally<Done extends string, Fault extends string> = {
  did: (what: Done, count?: number) => void;
  found: (fault: Fault, example: string) => void;
  outcome: () => Outcome;
};

/** So many of each fault are told in words. */
const examplesMaxCount = 3;
const exampleMaxLength = 300;

/** Makes a tally of these counts, all at zero. */
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
