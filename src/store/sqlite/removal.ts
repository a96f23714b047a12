import type { Database } from './driver.ts';

/** Times in milliseconds since 1970. */
export interface Age {
  readonly oldest: number;
  readonly now: number;
}

/** What one step of retention did. */
export interface Swept {
  /** There is more to remove, of what was announced. */
  readonly hasMore: boolean;
  readonly removed: Removed | undefined;
  /** The time of the newest entry, undefined where there is none. */
  readonly newestAt: number | undefined;
}

/** Entries that were removed, and which limit they were beyond. */
export interface Removed {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly reason: 'age' | 'count';
}

/** Which entries a store keeps. */
export interface Retention {
  /** The newest so many. */
  readonly messages: number;
  /** Those of the time `oldest` or later; undefined keeps those of any age. */
  readonly age: Age | undefined;
  /** And those from this `seq` on, for somebody is reading them. */
  readonly heldFrom: number;
}

/** So many removals hold up appends for some milliseconds at the most. */
const removeMaxCount = 1_000;

/** So many entries are looked at in one sweep: each for itself, for their times may be in disorder. */
const lookMaxCount = 50_000;

/** Which entries of an open store are to go: first announced, then removed. */
export class Removal {
  readonly #removeBefore;
  readonly #firstYoung;
  readonly #lastOld;
  readonly #time;
  #firstSeq: number;
  #keptFrom: number;
  #reason: Removed['reason'] = 'count';
  /** Where the next look begins, when all entries of the one before were of the future. */
  #lookFrom = 0;

  constructor(database: Database, firstSeq: number) {
    this.#removeBefore = database.prepare('DELETE FROM entry WHERE seq < ?');
    this.#firstYoung = database.prepare(
      'SELECT seq FROM entry WHERE seq >= ? AND seq < ? AND at BETWEEN ? AND ? ORDER BY seq LIMIT 1',
    );
    this.#lastOld = database.prepare(
      'SELECT seq FROM entry WHERE seq >= ? AND seq < ? AND at < ? ORDER BY seq DESC LIMIT 1',
    );
    this.#time = database.prepare('SELECT at FROM entry WHERE seq = ?');
    this.#firstSeq = this.#keptFrom = firstSeq;
  }

  /** The `seq` of the oldest entry in the file. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** Entries from here on are kept; those before are removed by the next sweep or later. */
  get keptFrom(): number {
    return this.#keptFrom;
  }

  /** Begins anew at an entry, as an empty store does that becomes a copy. */
  beginAt(seq: number): void {
    this.#firstSeq = this.#keptFrom = seq;
  }

  /** Where the next removal ends: of what was announced some, and nothing from `heldFrom` on. */
  nextEnd(heldFrom: number): { readonly until: number; readonly hasMore: boolean } {
    const end = Math.min(this.#keptFrom, heldFrom);
    const until = Math.min(end, this.#firstSeq + removeMaxCount);
    return { until, hasMore: until < end };
  }

  /** Removes entries, within a transaction. */
  remove(until: number): Removed {
    const removed = { firstSeq: this.#firstSeq, lastSeq: until - 1, reason: this.#reason };
    this.#removeBefore.run(until);
    return removed;
  }

  /** Notes that a removal is durable. */
  removed(until: number): void {
    this.#firstSeq = until;
  }

  /** Announces what goes next; the newest entry stays, for it holds the place of the next one. */
  announce(lastSeq: number, { messages, age }: Pick<Retention, 'messages' | 'age'>): void {
    const byCount = lastSeq - messages + 1;
    const byAge = age ? this.#findYoung(lastSeq, age) : 0;
    const keptFrom = Math.min(Math.max(byCount, byAge), lastSeq);
    if (keptFrom <= this.#keptFrom) return;
    this.#keptFrom = keptFrom;
    this.#reason = byAge > byCount ? 'age' : 'count';
  }

  /**
   * Finds where the entries that are too old end. They go in their order, up to the first one that is
   * not too old, so none goes before one that was stored earlier. An entry of the future, by a clock
   * that was wrong, goes with the next one that is too old.
   */
  #findYoung(lastSeq: number, { oldest, now }: Age): number {
    const from = Math.max(this.#keptFrom, this.#lookFrom);
    const end = Math.min(from + lookMaxCount, lastSeq + 1);
    const young = this.#firstYoung.get(from, end, oldest, now) as { seq: number } | undefined;
    const old = this.#lastOld.get(from, young?.seq ?? end, oldest) as { seq: number } | undefined;
    this.#lookFrom = young || old || end > lastSeq ? 0 : end;
    return old ? old.seq + 1 : this.#keptFrom;
  }

  /** The time of an entry, undefined where it is not there. */
  timeOf(seq: number): number | undefined {
    return (this.#time.get(seq) as { at: number } | undefined)?.at;
  }
}
