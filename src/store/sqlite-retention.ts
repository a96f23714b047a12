import type { SqliteOptions } from './sqlite.ts';
import type { Call } from './sqlite-worker.ts';

const everyMs = 1_000;

/** A reader that has not come to its end by then may be overtaken: entries have to go some time. */
const readerHoldMs = 60_000;

/** Where somebody reads. */
interface Reader {
  after: number;
  readonly since: number;
}

/** Which entries a store keeps. */
export interface Retention {
  /** The newest so many. */
  readonly messages: number;
  /** Those of this time or later, in milliseconds since 1970. */
  readonly oldest: number;
  /** And those from this `seq` on, for somebody is reading them. */
  readonly heldFrom: number;
}

/** The readers that are under way, whose entries are not removed before they have them. */
export class Readers {
  readonly #readers = new Set<Reader>();

  get count(): number {
    return this.#readers.size;
  }

  enter(after: number): Reader {
    const reader = { after, since: performance.now() };
    this.#readers.add(reader);
    return reader;
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /** The first entry that one of them has not got yet. */
  heldFrom(): number {
    const now = performance.now();
    let heldFrom = Number.MAX_SAFE_INTEGER;
    for (const { after, since } of this.#readers) {
      if (now - since < readerHoldMs) heldFrom = Math.min(heldFrom, after + 1);
    }
    return heldFrom;
  }
}

/** Removes what is too old or too much, a little at a time, from now on. */
export function startRetention(
  thread: { call<Result>(call: Call): Promise<Result> },
  readers: Readers,
  { retainMessages = 0, retainAge = 0 }: SqliteOptions,
): NodeJS.Timeout | undefined {
  if (retainMessages === 0 && retainAge === 0) return undefined;
  let isRunning = false;

  async function removeSome(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    try {
      let hasMore = true;
      while (hasMore) {
        hasMore = await thread.call<boolean>({
          verb: 'retain',
          messages: retainMessages || Number.MAX_SAFE_INTEGER,
          oldest: retainAge === 0 ? 0 : Date.now() - retainAge,
          heldFrom: readers.heldFrom(),
        });
      }
    } catch {
      // A full disk: next time again. Of what is worse the store tells by itself.
    } finally {
      isRunning = false;
    }
  }

  return setInterval(removeSome, everyMs).unref();
}
