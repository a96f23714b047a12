import { asUnsent, toMlogError } from '../../errors.ts';
import { createGate } from '../gate.ts';
import type { Journal } from '../journal.ts';

/**
 * Returns the journal of a remote service whose dialect is detected on first use. The result is
 * kept through failures, because detecting again after each one would double what can fail. It is
 * detected again after a reply that does not fit, since another service may have taken over the
 * address, and after `detect` has called `forget`. `release` closes what the dialects share, once
 * every call through the gate has returned.
 */
export function createDetectedJournal(
  detect: (forget: () => void) => Promise<Journal>,
  release: () => Promise<void>,
  gate = createGate(),
): Journal {
  const closing = new AbortController();
  let detecting: Promise<Journal> | undefined;
  let detected: Journal | undefined;

  function forget(): void {
    detecting = undefined;
    detected = undefined;
  }

  function detectOnce(): Promise<Journal> {
    detecting ??= detect(forget).then(
      (journal) => (detected = journal),
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    return detecting;
  }

  /**
   * Runs an action with the detected dialect, and once more if the service turns out to speak
   * another.
   */
  async function withDetected<T>(action: (journal: Journal) => Promise<T>): Promise<T> {
    const journal = detected ?? (await detectOnce().catch(rethrowUnsent));
    try {
      return await action(journal);
    } catch (error) {
      const other = await detectOther(journal, error);
      if (!other) throw error;
      return await action(other);
    }
  }

  /**
   * Detects again if an error says that the dialect is wrong. Returns undefined if it is the same.
   */
  async function detectOther(journal: Journal, error: unknown): Promise<Journal | undefined> {
    if (!isUnexpected(error)) return undefined;
    if (detected === journal) forget();
    const other = await detectOnce().catch(() => undefined);
    return other === journal ? undefined : other;
  }

  /** Does not repeat a read: its reader resumes by itself. */
  async function* forgetIfUnexpected<Page>(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
    try {
      yield* pages;
    } catch (error) {
      if (isUnexpected(error)) forget();
      throw error;
    }
  }

  return {
    takesMany: () => (detected ? takesMany(detected) : detectOnce().then(takesMany, rethrowUnsent)),
    append: (messages) => gate.pass(() => withDetected((journal) => journal.append(messages))),
    async *read(range) {
      gate.check();
      yield* forgetIfUnexpected((detected ?? (await detectOnce())).read(range));
    },
    async *follow(range) {
      gate.check();
      const journal = detected ?? (await detectOnce());
      const signal = AbortSignal.any([range.signal, closing.signal]);
      yield* forgetIfUnexpected(journal.follow({ ...range, signal }));
    },
    get: (id) => gate.pass(() => withDetected((journal) => journal.get(id))),
    head: () => gate.pass(() => withDetected((journal) => journal.head())),
    async close() {
      await gate.close();
      // The client waits for every reply in flight, and replies to followers have no end.
      closing.abort();
      await release();
    },
  };
}

/** The reference lacks calls that mlog has, so a missing call is also a reason to detect again. */
function isUnexpected(error: unknown): boolean {
  const { isUnexpected: isMarked, code } = toMlogError(error);
  return isMarked || code === 'unimplemented';
}

function takesMany(journal: Journal): boolean | Promise<boolean> {
  return journal.takesMany?.() ?? true;
}

function rethrowUnsent(error: unknown): never {
  throw asUnsent(error);
}
