import type { Patch } from './build.ts';

// Ways to break the program that several proofs must catch.

/** Syncs the write-ahead log only at checkpoints. */
export const normalSync: readonly Patch[] = [
  { find: 'PRAGMA synchronous = FULL', replace: 'PRAGMA synchronous = NORMAL' },
];

/** Answers a batch up to this long before it commits. */
export const lateCommit = (delayMs: number): readonly Patch[] => [
  { find: 'this.#commit.run();', replace: '' },
  {
    find: 'this.#begin.run();',
    replace: `if (!globalThis.committing) {
      this.#begin.run();
      globalThis.committing = setTimeout(() => {
        this.#commit.run();
        globalThis.committing = undefined;
      }, ${delayMs});
    }`,
  },
];

/** Reports a failed commit as a success. */
export const swallowedCommit: readonly Patch[] = [
  {
    find: 'this.#commit.run();',
    replace: `try {
      this.#commit.run();
    } catch {
      this.#lastSeq = lastSeq;
      try { this.#database.exec('ROLLBACK'); } catch {}
    }`,
  },
];

const notUnique: readonly Patch[] = [
  { find: 'id  BLOB NOT NULL UNIQUE', replace: 'id  BLOB NOT NULL' },
  { find: ' ON CONFLICT (id) DO NOTHING', replace: '' },
];

/** Stores every message, whatever its id. */
export const noDedup: readonly Patch[] = notUnique;

/** Knows ids only for as long as the process lives. */
export const forgetfulDedup: readonly Patch[] = [
  ...notUnique,
  {
    find: 'if (this.#insert.run(',
    replace: `globalThis.seen ??= new Set();
      if (globalThis.seen.has(String(id))) return false;
      globalThis.seen.add(String(id));
      if (this.#insert.run(`,
  },
];

/** Reports everything that waits behind an unanswered batch as tried. */
export const queueFailsWithBatch: readonly Patch[] = [
  { find: 'overdueMs = 50', replace: 'overdueMs = void 0' },
  {
    find: 'for (const { reject } of batch) reject(error);',
    replace: `const waited = toMlogError(error).code === 'deadline_exceeded' ? queue : [];
      queue = queue.slice(waited.length);
      for (const { messages } of waited) queueCount -= messages.length;
      for (const { reject } of [...batch, ...waited]) reject(error);
      gate.leave(waited.length);`,
  },
];
