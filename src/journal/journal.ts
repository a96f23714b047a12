import type { Entry, Message } from '../message.ts';

/** The outcome of one message of an append. */
export interface AppendResult {
  readonly id: string;
  /**
   * - `logged`: the message is new and now stored.
   * - `duplicate`: the id was stored before with the same text.
   * - `conflict`: the id was stored before with another text, which is kept.
   */
  readonly status: 'logged' | 'duplicate' | 'conflict';
  /** The `seq` of the entry under this id. Only a service without numbers leaves it out. */
  readonly seq?: number;
}

/** Which entries to read. */
export interface ReadRange {
  /** Read the entries after this `seq`; 0 reads from the beginning. */
  readonly after: number;
  /** Read at most this many entries. */
  readonly limit: number;
  /** The id of the journal to read from. Another journal throws `gone`. */
  readonly journal?: string | undefined;
}

/** Where to start following, and when to stop. */
export interface FollowRange {
  /** Follow the entries after this `seq`; 0 follows from the beginning. */
  readonly after: number;
  /** Aborting it ends the entries. */
  readonly signal: AbortSignal;
  /** The id of the journal to follow. Another journal throws `gone`. */
  readonly journal?: string | undefined;
}

/** The range of a journal. */
export interface Head {
  /**
   * The id of the journal, a random UUID that is made with the store and never changes. A position
   * in one journal means nothing in another. Empty if the service behind it does not tell.
   */
  readonly journal: string;
  /**
   * The `seq` of the oldest entry that can be read; in an empty journal, that of the next entry.
   */
  readonly firstSeq: number;
  /** The `seq` of the newest entry; 0 if there is none. */
  readonly lastSeq: number;
}

/**
 * An ordered, durable record of messages. A store is a journal, a remote service is a journal, and
 * batching and retrying wrap one journal and return another. `test/contract` holds each of them to
 * these promises:
 *
 * - **Durable.** `append` resolves once all its messages are as durable as the journal can make
 *   them. No reader sees any of them before.
 * - **Atomic.** The messages of one append are stored together and in order. If it throws a refusal
 *   (`invalid_argument`, `too_large`), none of them is stored. After any other error the outcome is
 *   unknown, and the caller may repeat the append without storing anything twice.
 * - **Idempotent.** One id means one entry for as long as the journal keeps it, across concurrent
 *   calls, repeats and restarts. A `duplicate` is durable when it is reported.
 * - **Ordered.** `seq` counts 1, 2, 3 … in commit order and is never reused. A reader sees each
 *   entry once, in that order, and sees every entry committed before its call.
 * - **Honest.** If retention has removed the entry after position `after`, `read` and `follow`
 *   throw `gone` with `firstSeq` in the details; they never skip to a later entry. Retention does
 *   not overtake a reader that has begun. Over a wire they also throw `gone` if the journal has not
 *   reached `after` yet: such a position comes from another journal, and reading on from it would
 *   skip entries.
 *
 * Whoever opens a journal closes it. `close` finishes what was accepted, then releases. Every later
 * call throws `closed`.
 */
export interface Journal {
  /** Appends messages. The results are in the order of the messages. */
  append(messages: readonly Message[]): Promise<AppendResult[]>;

  /**
   * Says whether one append may carry the messages of several callers; true if absent. A service
   * that takes one message per request does not: one lost reply would fail messages that were never
   * sent. Rejects if the service cannot be asked.
   */
  takesMany?(): boolean | Promise<boolean>;

  /**
   * Reads entries in order, page by page. Pages are never empty. Leaving the loop early releases
   * the read. Memory does not grow with the range.
   */
  read(range: ReadRange): AsyncIterable<readonly Entry[]>;

  /**
   * Reads like `read`, then continues with new entries as they become durable, until `signal` is
   * aborted. A slow follower delays nobody.
   */
  follow(range: FollowRange): AsyncIterable<readonly Entry[]>;

  /** Returns the entry under an id. */
  get(id: string): Promise<Entry | undefined>;

  /**
   * Returns the range of the journal. Health checks use it to ask whether the journal can be read.
   */
  head(): Promise<Head>;

  close(): Promise<void>;
}
