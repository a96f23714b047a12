import type { Entry, Message } from '../message.ts';

/** What became of one message of an append. */
export interface AppendResult {
  readonly id: string;
  /**
   * - `logged`: new, and now kept.
   * - `duplicate`: the same id with the same text was there before.
   * - `conflict`: the same id with another text was there before; the first one is kept.
   */
  readonly status: 'logged' | 'duplicate' | 'conflict';
  /** The place of the entry under this id. Absent only where a service below does not number. */
  readonly seq?: number;
}

/** Which entries to read. */
export interface ReadRange {
  /** Begin behind this `seq`; 0 is the beginning. */
  readonly after: number;
  /** At most so many entries. */
  readonly limit: number;
  /** Read only from the journal with this id; throws `gone` where it is another one. */
  readonly journal?: string | undefined;
}

/** From where on to follow, and until when. */
export interface FollowRange {
  /** Begin behind this `seq`; 0 is the beginning. */
  readonly after: number;
  /** Once aborted, the entries come to an end. */
  readonly signal: AbortSignal;
  /** Follow only the journal with this id; throws `gone` where it is another one. */
  readonly journal?: string | undefined;
}

/** Where a journal stands. */
export interface Head {
  /**
   * The id of the journal: a random UUID, made when the store is made and never changed. Positions
   * of one journal mean nothing in another. Empty where the service below does not tell it.
   */
  readonly journal: string;
  /** The `seq` of the oldest entry that can be read; of an empty journal that of its next one. */
  readonly firstSeq: number;
  /** The `seq` of the newest entry, 0 when there is none. */
  readonly lastSeq: number;
}

/**
 * An ordered, durable record of messages. Stores are journals, remote services are journals, and
 * batching and retrying take a journal and give one back. `test/contract` holds every one of them
 * to these promises:
 *
 * - **Durable.** `append` resolves only when all its messages are as durable as the journal can
 *   make them. Nothing of it can be read before.
 * - **Atomic.** The messages of one append are kept together and in their order, or, when it
 *   throws a refusal (`invalid_argument`, `too_large`), not at all. After any other error the
 *   outcome is unknown, and the same append may be tried again without doubling anything.
 * - **Idempotent.** One id means one entry for as long as the journal keeps it: across
 *   concurrent calls, repeats and restarts. A `duplicate` is durable when it is told, too.
 * - **Ordered.** `seq` counts 1, 2, 3 … in commit order, and none is ever used again. A reader sees
 *   entries in that order, each once, and all that were committed before its call.
 * - **Honest.** Where retention has removed the entry right behind `after`, `read` and `follow`
 *   throw `gone` with `firstSeq` in the details, and never begin with a later one. A reader that
 *   has begun is not overtaken while it reads.
 *   Over a wire they throw it, too, where the journal has no entry `after` yet: whoever names such a
 *   position has read it in another journal, and would miss what comes until then.
 *
 * Whoever opened a journal closes it; `close` first finishes what was accepted, then releases.
 * Every call after `close` throws `closed`.
 */
export interface Journal {
  /** Appends messages; the results come in the order of the messages. */
  append(messages: readonly Message[]): Promise<AppendResult[]>;

  /**
   * Says whether appends of several callers may go as one. Not through a service that takes one
   * message a request: one without an answer would fail those behind it, which were never sent.
   * Where it is absent, they may. Rejects where the service cannot be asked what it is.
   */
  takesMany?(): boolean | Promise<boolean>;

  /**
   * Reads entries in order, a page at a time; pages are never empty. Leaving the loop early frees
   * what the read holds. Memory does not grow with the range.
   */
  read(range: ReadRange): AsyncIterable<readonly Entry[]>;

  /**
   * Reads as `read` does, and goes on with entries as they become durable, until `signal` is
   * aborted. What there is comes at once; a follower that takes its time holds up nobody.
   */
  follow(range: FollowRange): AsyncIterable<readonly Entry[]>;

  /** Gives the entry under an id. */
  get(id: string): Promise<Entry | undefined>;

  /** Tells where the journal stands; also how a health check asks whether it can be read. */
  head(): Promise<Head>;

  close(): Promise<void>;
}
