import type { StoreOptions } from '../../journal/store.ts';
import { toDuration } from '../../quantity.ts';
import { AgeClock } from './clock.ts';
import type { Removed, Swept } from './removal.ts';
import type { ThreadCall } from './wire.ts';

const everyMs = 1_000;

/**
 * A reader that takes longer than this may be overtaken, because entries must be removed
 * eventually.
 */
const readerHoldMs = 60_000;

/** The position of a read in progress. */
interface ActiveRead {
  after: number;
  readonly since: number;
}

/** The reads in progress, whose entries are not removed until they have passed. */
export class ActiveReads {
  readonly #readers = new Set<ActiveRead>();

  get count(): number {
    return this.#readers.size;
  }

  enter(after: number): ActiveRead {
    const reader = { after, since: performance.now() };
    this.#readers.add(reader);
    return reader;
  }

  leave(reader: ActiveRead): void {
    this.#readers.delete(reader);
  }

  /** Returns the first entry that some read has not reached. */
  heldFrom(): number {
    const now = performance.now();
    let heldFrom = Number.MAX_SAFE_INTEGER;
    for (const { after, since } of this.#readers) {
      if (now - since < readerHoldMs) heldFrom = Math.min(heldFrom, after + 1);
    }
    return heldFrom;
  }
}

/**
 * Removes what is too old or too much, a little at a time, and reports it. The clock that measures
 * the age can be wrong; see `AgeClock`.
 */
export function startRetention(
  thread: { call<Result>(call: ThreadCall): Promise<Result> },
  readers: ActiveReads,
  { retainMessages = 0, retainAge = 0, onNotice, onWarning }: StoreOptions,
): NodeJS.Timeout | undefined {
  if (retainMessages === 0 && retainAge === 0) return undefined;
  let isRunning = false;
  let clock: AgeClock | undefined;

  function openClock(newestAt: number | undefined): AgeClock {
    return new AgeClock(retainAge, newestAt, (warning) => onWarning?.(warning));
  }

  async function removeSome(removed: Removed[]): Promise<void> {
    const age = clock?.look();
    for (let hasMore = true; hasMore;) {
      const swept = await thread.call<Swept>({
        verb: 'retain',
        messages: retainMessages || Number.MAX_SAFE_INTEGER,
        age: retainAge === 0 ? undefined : age,
        heldFrom: readers.heldFrom(),
      });
      hasMore = swept.hasMore;
      clock ??= openClock(swept.newestAt);
      if (swept.removed) removed.push(swept.removed);
    }
  }

  function toNotice(firstSeq: number, lastSeq: number, reason: Removed['reason']): string {
    const what =
      firstSeq === lastSeq
        ? `message ${firstSeq}`
        : `${lastSeq - firstSeq + 1} messages, ${firstSeq} to ${lastSeq}`;
    const why = reason === 'age' ? `older than ${toDuration(retainAge)}` : 'too many';
    return `Removed ${what}: ${why}`;
  }

  async function sweep(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    // A full disk is tried again next time. The store reports anything worse by itself.
    const removed: Removed[] = [];
    await removeSome(removed).catch(() => {});
    const [first, last] = [removed.at(0), removed.at(-1)];
    if (first && last) onNotice?.(toNotice(first.firstSeq, last.lastSeq, last.reason));
    isRunning = false;
  }

  return setInterval(sweep, everyMs).unref();
}

/** Says in words which messages are kept; undefined if all are. */
export function describeRetention({ retainMessages, retainAge }: StoreOptions): string | undefined {
  if (!retainMessages && !retainAge) return undefined;
  const messages = retainMessages ? `the newest ${retainMessages} messages` : 'messages';
  return retainAge ? `${messages} of the last ${toDuration(retainAge)}` : messages;
}
