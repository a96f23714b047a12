import type { Role } from '../setting.ts';

/** Asks whether one dependency works. Throws what is wrong with it. */
export type Check = () => Promise<unknown>;

/** The subject of a health check, over either wire. */
export interface Subject {
  readonly role: Role;
  readonly checks: Readonly<Record<string, Check>>;
}

/** What a role reports when it is asked. */
export interface Facts {
  readonly role: Role;
  /** The outcome of each dependency: `ok`, or what is wrong with it. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** Whether every dependency works. */
  readonly isReady: boolean;
}

/** Asks every dependency of a role, all at once. */
export async function gatherFacts({ role, checks }: Subject): Promise<Facts> {
  const outcomes = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check)] as const),
  );
  const isReady = outcomes.every(([, outcome]) => outcome === 'ok');
  return { role, dependencies: Object.fromEntries(outcomes), isReady };
}

/** Says what is wrong, naming each failed dependency; empty if none failed. */
export function toReason({ dependencies }: Facts): string {
  const failed = Object.entries(dependencies).filter(([, outcome]) => outcome !== 'ok');
  return failed.map(([name, outcome]) => `${name}: ${outcome}`).join(' ');
}

async function runCheck(check: Check): Promise<string> {
  try {
    await check();
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
