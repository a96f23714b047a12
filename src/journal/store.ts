import type { Entry } from '../message.ts';
import type { Journal } from './journal.ts';
import type { Observer } from './observer.ts';

/** What opening a store may be told. */
export interface StoreOptions extends Pick<Observer, 'onFatal' | 'onWarning' | 'onNotice'> {
  /** Keep the newest so many messages; 0 keeps all. */
  readonly retainMessages?: number | undefined;
  /** Keep the messages of the last so many milliseconds; 0 keeps all. */
  readonly retainAge?: number | undefined;
}

/** A journal that keeps bytes itself, and can be the copy of another one. */
export interface Store extends Journal {
  /** What a stored message survives, in words. */
  readonly durability: string;

  /** Which messages are kept, in words; undefined where all are. */
  readonly keeps?: string | undefined;

  /**
   * Takes over entries of the journal `original` as they are, with `seq` and `at`, behind those that
   * are here, and records whose copy this store is. Throws `conflict` and keeps none of the entries
   * where they do not follow, or where the store is a copy of another journal. An `original` that is
   * undefined or empty is not known: it is neither recorded nor compared.
   */
  copy(entries: readonly Entry[], original?: string): Promise<void>;

  /** Tells the id of the journal of which this store is a copy; undefined where none was recorded. */
  original(): Promise<string | undefined>;
}
