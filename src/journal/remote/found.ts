import { asUnsent, toMlogError } from '../../errors.ts';
import { createGate } from '../gate.ts';
import type { Journal } from '../journal.ts';

/**
 * Returns the journal of a remote service whose dialect is detected on first use. The result is kept
 * through failures: to detect again after each of them would double what can fail. It is detected
 * again when a reply does not fit, since another service may have taken the place of the first, and
 * when `find` has called `forget`. `release` closes what all dialects share, once every call through
 * the gate has returned.
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

  /** Runs an action with what was found, and once more where it turns out to be something else. */
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

  /** Gives what the service is now, where an error says that it is not what was found. */
  async function findOther(journal: Journal, error: unknown): Promise<Journal | undefined> {
    if (!isMisfit(error)) return undefined;
    if (found === journal) forget();
    const other = await findOnce().catch(() => undefined);
    return other === journal ? undefined : other;
  }

  /** Reading is not done once more: whoever reads asks again by itself. */
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
      // The client below waits for every reply under way, and those to followers have no end.
      closing.abort();
      await release();
    },
  };
}

/** A reference service cannot do what mlog can, so one that is mlog now is found by asking for it. */
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
