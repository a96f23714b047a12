import type { Fate } from '../support/reference.ts';

/** Long enough that no attempt ends because the machine is busy. */
export const attemptTimeoutMs = 2000;

/** One way in which a logging service fails, and what the facade must do. */
export type Failure = {
  name: string;
  /** What a listening stand-in does with attempt n. */
  fate?: (n: number) => Fate;
  /** An mlog service stopped by SIGSTOP. Without this and without a fate, nothing listens. */
  isStopped?: true;
  tries: number;
  status: number;
  /** How long one attempt takes to fail. */
  attemptMs: number;
};

const always = (fate: Fate) => (): Fate => fate;
const unknown = { tries: 3, status: 500 } as const;

/** All failures that are tried. */
export const failures: readonly Failure[] = [
  { name: 'refuses the connection', ...unknown, attemptMs: 0 },
  { name: 'stopped by SIGSTOP', isStopped: true, ...unknown, attemptMs: attemptTimeoutMs },
  { name: 'hangs', fate: always('hang'), ...unknown, attemptMs: attemptTimeoutMs },
  { name: 'resets', fate: always('reset'), ...unknown, attemptMs: 0 },
  { name: 'half a body', fate: always('half-body'), ...unknown, attemptMs: 0 },
  { name: 'garbage', fate: always('garbage'), ...unknown, attemptMs: 0 },
  { name: 'answers 500', fate: always({ status: 500 }), ...unknown, attemptMs: 0 },
  { name: 'answers 503', fate: always({ status: 503 }), ...unknown, attemptMs: 0 },
  {
    name: 'answers 429',
    fate: always({ status: 429, headers: { 'retry-after': '1' } }),
    ...unknown,
    attemptMs: 0,
  },
  { name: 'answers 400', fate: always({ status: 400 }), tries: 1, status: 400, attemptMs: 0 },
  { name: 'answers 404', fate: always({ status: 404 }), tries: 1, status: 502, attemptMs: 0 },
  {
    name: 'loses the first reply',
    fate: (n) => (n === 1 ? 'drop-reply' : 'store'),
    tries: 2,
    status: 200,
    attemptMs: 0,
  },
  {
    name: 'comes back for the third',
    fate: (n) => (n < 3 ? { status: 500 } : 'store'),
    tries: 3,
    status: 200,
    attemptMs: 0,
  },
];
