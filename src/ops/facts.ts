import type { Role } from '../setting.ts';

/** Asks whether one dependency can do its part; throws what is wrong with it. */
export type Check = () => Promise<unknown>;

/** What is asked of a role, over either wire. */
export interface Subject {
  readonly role: Role;
  readonly checks: Readonly<Record<string, Check>>;
}

/** What a role says of itself when it is asked. */
export interface Facts {
  readonly role: Role;
  /** What each dependency said: `ok`, or what is wrong with it. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** Says whether every dependency can do its part. */
  readonly isReady: boolean;
}

/** Asks every dependency of a role at once. */
export async function gatherFacts({ role, checks }: Subject): Promise<Facts> {
  const outcomes = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check)] as const),
  );
  const isReady = outcomes.every(([, outcome]) => outcome === 'ok');
  return { role, dependencies: Object.fromEntries(outcomes), isReady };
}

/** Says what is wrong, naming each dependency that fails; empty where none does. */
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
