import { asUnsent, toMlogError } from '../../errors.ts';
import { createGate } from '../gate.ts';
import type { Journal } from '../journal.ts';

/**
 * Returns the journal of a remote service whose dialect is detected on first use. The result is
 * kept through failures, because detecting again after each one would double what can fail. It is
 * detected again after a reply that does not fit, since another service may have taken over the
 * address, and after `find` has called `forget`. `release` closes what the dialects share, once
 * every call through the gate has returned.
 */
export function createFoundJournal(
  find: (forget: () => void) => Promise<Journal>,
  release: () => Promise<void>,
  gate = createGate(),
): Journal {
  const closing = new AbortController();
  let finding: Promise<Journal> | undefined;
  let found: Journal | undefined;

  function forget(): void {
    finding = undefined;
    found = undefined;
  }

  function findOnce(): Promise<Journal> {
    finding ??= find(forget).then(
      (journal) => (found = journal),
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    return finding;
  }

  /**
   * Runs an action with the detected dialect, and once more if the service turns out to speak
   * another.
   */
  async function withFound<T>(action: (journal: Journal) => Promise<T>): Promise<T> {
    const journal = found ?? (await findOnce().catch(rethrowUnsent));
    try {
      return await action(journal);
    } catch (error) {
      const other = await findOther(journal, error);
      if (!other) throw error;
      return await action(other);
    }
  }

  /**
   * Detects again if an error says that the dialect is wrong. Returns undefined if it is the same.
   */
  async function findOther(journal: Journal, error: unknown): Promise<Journal | undefined> {
    if (!isMisfit(error)) return undefined;
    if (found === journal) forget();
    const other = await findOnce().catch(() => undefined);
    return other === journal ? undefined : other;
  }

  /** Does not repeat a read: its reader resumes by itself. */
  async function* forgetMisfit<Page>(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
    try {
      yield* pages;
    } catch (error) {
      if (isMisfit(error)) forget();
      throw error;
    }
  }

  return {
    takesMany: () => (found ? takesMany(found) : findOnce().then(takesMany, rethrowUnsent)),
    append: (messages) => gate.pass(() => withFound((journal) => journal.append(messages))),
    async *read(range) {
      gate.check();
      yield* forgetMisfit((found ?? (await findOnce())).read(range));
    },
    async *follow(range) {
      gate.check();
      const journal = found ?? (await findOnce());
      const signal = AbortSignal.any([range.signal, closing.signal]);
      yield* forgetMisfit(journal.follow({ ...range, signal }));
    },
    get: (id) => gate.pass(() => withFound((journal) => journal.get(id))),
    head: () => gate.pass(() => withFound((journal) => journal.head())),
    async close() {
      await gate.close();
      // The client waits for every reply in flight, and replies to followers have no end.
      closing.abort();
      await release();
    },
  };
}

/** The reference lacks calls that mlog has, so a missing call is also a reason to detect again. */
function isMisfit(error: unknown): boolean {
  const { isMisfit: isMarked, code } = toMlogError(error);
  return isMarked || code === 'unimplemented';
}

function takesMany(journal: Journal): boolean | Promise<boolean> {
  return journal.takesMany?.() ?? true;
}

function rethrowUnsent(error: unknown): never {
  throw asUnsent(error);
}
