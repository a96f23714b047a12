import { withFollow } from '../../src/journal/follow.ts';
import type { FollowRange, Journal, ReadRange } from '../../src/journal/journal.ts';
import type { Store } from '../../src/journal/store.ts';
import type { Entry, Message } from '../../src/message.ts';
import { openMemoryJournal } from '../../src/store/memory.ts';

/** A store as a class: its verbs are on the prototype and need their own object. */
class StoreByClass implements Omit<Store, 'follow'> {
  readonly #store = openMemoryJournal();
  readonly durability = this.#store.durability;

  append(messages: readonly Message[]) {
    return this.#store.append(messages);
  }

  copy(entries: readonly Entry[], original?: string) {
    return this.#store.copy(entries, original);
  }

  original() {
    return this.#store.original();
  }

  read(range: ReadRange) {
    return this.#store.read(range);
  }

  get(id: string) {
    return this.#store.get(id);
  }

  head() {
    return this.#store.head();
  }

  close() {
    return this.#store.close();
  }
}

/** The same with all verbs of a journal. */
class JournalByClass extends StoreByClass implements Journal {
  readonly #followed = withFollow(new StoreByClass());

  override append(messages: readonly Message[]) {
    return this.#followed.append(messages);
  }

  override read(range: ReadRange) {
    return this.#followed.read(range);
  }

  follow(range: FollowRange) {
    return this.#followed.follow(range);
  }

  override get(id: string) {
    return this.#followed.get(id);
  }

  override head() {
    return this.#followed.head();
  }

  override close() {
    return this.#followed.close();
  }
}

/** Opens a journal that is a class. */
export const openJournalByClass = (): Journal => new JournalByClass();

/** Opens a store that is a class, with the `follow` that every store gets. */
export const openStoreByClass = (): Store => withFollow(new StoreByClass());
