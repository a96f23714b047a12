import type { Entry } from '../message.ts';
import type { Journal } from './journal.ts';
import type { Observer } from './observer.ts';

/** What opening a store may be told. */
export interface StoreOptions extends Pick<Observer, 'onFatal' | 'onWarning' | 'onNotice'> {
  /** Keep only this many of the newest messages; 0 keeps all. */
  readonly retainMessages?: number | undefined;
  /** Keep only messages younger than this many milliseconds; 0 keeps all. */
  readonly retainAge?: number | undefined;
}

/** A journal that keeps the messages itself. It can be a copy of another journal. */
export interface Store extends Journal {
  /** What a stored message survives, in words for the start line. */
  readonly durability: string;

  /** Which messages are kept, in words; undefined if all are. */
  readonly keeps?: string | undefined;

  /**
   * Stores entries of the journal `original` unchanged, with their `seq` and `at`, and records the
   * original. Throws `conflict` and stores none of them if they do not continue this store, or if
   * it is a copy of another journal. An undefined or empty `original` is unknown: it is neither
   * recorded nor compared.
   */
  copy(entries: readonly Entry[], original?: string): Promise<void>;

  /** Returns the id of the journal that this store is a copy of; undefined if none was recorded. */
  original(): Promise<string | undefined>;
}
