import type { Database } from './driver.ts';

/** Times in milliseconds since 1970. */
export interface Age {
  readonly oldest: number;
  readonly now: number;
}

/** The outcome of one step of retention. */
export interface Swept {
  /** More of what was announced remains to be removed. */
  readonly hasMore: boolean;
  readonly removed: Removed | undefined;
  /** The time of the newest entry; undefined if there is none. */
  readonly newestAt: number | undefined;
}

/** Removed entries, and the limit that they exceeded. */
export interface Removed {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly reason: 'age' | 'count';
}

/** Which entries a store keeps. */
export interface Retention {
  /** This many of the newest entries. */
  readonly messages: number;
  /** Entries of the time `oldest` or later; undefined keeps entries of any age. */
  readonly age: Age | undefined;
  /** Entries from this `seq` on, because a reader has not reached them. */
  readonly heldFrom: number;
}

/** This many removals delay an append by a few milliseconds at most. */
const removeMaxCount = 1_000;

/**
 * Entries examined in one sweep. Each is examined by itself, because their times may be out of
 * order.
 */
const lookMaxCount = 50_000;

/** Removes the oldest entries of an open store: it announces them first, then removes them. */
export class Removal {
  readonly #removeBefore;
  readonly #firstYoung;
  readonly #lastOld;
  readonly #time;
  #firstSeq: number;
  #keptFrom: number;
  #reason: Removed['reason'] = 'count';
  /** Where the next look begins, if all entries of the last look were in the future. */
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

  /** Entries from here on are kept. Those before are removed by the next sweep or a later one. */
  get keptFrom(): number {
    return this.#keptFrom;
  }

  /** Restarts at an entry, when an empty store becomes a copy. */
  beginAt(seq: number): void {
    this.#firstSeq = this.#keptFrom = seq;
  }

  /** Returns where the next removal ends: within what was announced, and before `heldFrom`. */
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

  /**
   * Announces what is removed next. The newest entry stays, since the next `seq` follows from it.
   */
  announce(lastSeq: number, { messages, age }: Pick<Retention, 'messages' | 'age'>): void {
    const byCount = lastSeq - messages + 1;
    const byAge = age ? this.#findYoung(lastSeq, age) : 0;
    const keptFrom = Math.min(Math.max(byCount, byAge), lastSeq);
    if (keptFrom <= this.#keptFrom) return;
    this.#keptFrom = keptFrom;
    this.#reason = byAge > byCount ? 'age' : 'count';
  }

  /**
   * Returns the first entry that is not too old. Entries are removed in order, up to that one, so
   * none is removed before an earlier one. An entry from the future, stored while the clock was
   * wrong, is removed with the next entry that is too old.
   */
  #findYoung(lastSeq: number, { oldest, now }: Age): number {
    const from = Math.max(this.#keptFrom, this.#lookFrom);
    const end = Math.min(from + lookMaxCount, lastSeq + 1);
    const young = this.#firstYoung.get(from, end, oldest, now) as { seq: number } | undefined;
    const old = this.#lastOld.get(from, young?.seq ?? end, oldest) as { seq: number } | undefined;
    this.#lookFrom = young || old || end > lastSeq ? 0 : end;
    return old ? old.seq + 1 : this.#keptFrom;
  }

  /** The time of an entry; undefined if it is gone. */
  timeOf(seq: number): number | undefined {
    return (this.#time.get(seq) as { at: number } | undefined)?.at;
  }
}
