import manifest from '../../package.json' with { type: 'json' };
import type { Head } from '../journal/journal.ts';
import type { Role } from '../setting.ts';

/** Asks whether one dependency works. Throws what is wrong with it. */
export type Check = () => Promise<unknown>;

/** The subject of a health check, over either wire. */
export interface Subject {
  readonly role: Role;
  readonly checks: Readonly<Record<string, Check>>;
  /** Returns the range of the journal that the role lists, if it keeps one. */
  readonly head?: () => Promise<Head>;
  /** Returns how many messages a replica is behind; undefined if that is unknown. */
  readonly lag?: () => Promise<number | undefined>;
}

/** What a role reports when it is asked. */
export interface Facts {
  readonly role: Role;
  /** The version of mlog. */
  readonly version: string;
  /** The `seq` of the newest message; undefined if the role lists none or cannot tell. */
  readonly lastSeq: number | undefined;
  /** How many messages a replica is behind; undefined for other roles, and if it is unknown. */
  readonly lag: number | undefined;
  /** The outcome of each dependency: `ok`, or what is wrong with it. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** Whether every dependency works. */
  readonly isReady: boolean;
}

/** Asks everything of a role at once. */
export async function gatherFacts({ role, checks, head, lag }: Subject): Promise<Facts> {
  const outcomes = Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check)] as const),
  );
  const [asked, known, behind] = await Promise.all([
    outcomes,
    head?.().catch(() => undefined),
    lag?.().catch(() => undefined),
  ]);
  return {
    role,
    version: manifest.version,
    lastSeq: known?.lastSeq,
    lag: behind,
    dependencies: Object.fromEntries(asked),
    isReady: asked.every(([, outcome]) => outcome === 'ok'),
  };
}

/** Says what is wrong, naming each failed dependency; empty if none failed. */
export function toReason({ dependencies }: Pick<Facts, 'dependencies'>): string {
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
