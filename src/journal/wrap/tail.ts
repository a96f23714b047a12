import { setTimeout as sleep } from 'node:timers/promises';
import { MlogError, toMlogError } from '../../errors.ts';
import { byteCount, type Entry } from '../../message.ts';
import { firstPart } from '../cut.ts';
import { checkJournal, isOtherJournal } from '../gone.ts';
import type { FollowRange, Head, Journal } from '../journal.ts';
import type { Observer } from '../observer.ts';
import { createNotice } from '../notice.ts';
import { Place, placeAtEnd } from '../place.ts';
import { resumed } from '../resume.ts';
import { verbsOf } from '../verbs.ts';

type Page = readonly Entry[];

/** How many of the newest entries are in memory. A follower further behind reads by itself. */
const tailMaxCount = 10_000;
const tailMaxBytes = 4 * 1024 * 1024;

/**
 * The first new entry goes to the followers at once. The entries right after it are gathered for
 * this long, because each write to a follower costs about 10 µs, whatever its size.
 */
const gatherMs = 10;

/** How long to wait before following again, as while a logging service restarts. */
const reconnectMs = 500;

/**
 * Lets any number of followers share one `follow` of the journal, which runs while there is a
 * follower. When it is interrupted, or when a follower's own read is, it resumes at its position,
 * and the followers notice nothing. The observer hears of the outage.
 */
export function withTail(
  journal: Journal,
  { onOutage = () => {} }: Pick<Observer, 'onOutage'> = {},
): Journal {
  const notice = createNotice();
  /**
   * Usually one. There are more while followers still wait for a journal that another one has
   * replaced.
   */
  const tails = new Set<SharedTail>();

  function join(asked: string | undefined): SharedTail {
    let tail = [...tails].find((one) => one.isOf(asked));
    if (!tail) {
      tail = new SharedTail(journal, () => notice.give(), onOutage);
      tails.add(tail);
    }
    tail.followers += 1;
    return tail;
  }

  function leave(tail: SharedTail): void {
    tail.followers -= 1;
    if (tail.followers > 0) return;
    tail.end();
    tails.delete(tail);
  }

  return {
    ...verbsOf(journal),
    async *follow({ after, signal, journal: asked }: FollowRange) {
      const tail = join(asked);
      try {
        const head = await tail.begun;
        checkJournal(asked, head.journal);
        const place = new Place({ seq: after, journal: head.journal });
        while (!signal.aborted) {
          const seen = notice.count;
          if (place.seq < tail.after) {
            const before = place.seq;
            const { journal: id } = head;
            const open = () =>
              journal.read({ after: place.seq, limit: tail.after - place.seq, journal: id });
            const options = { journal, head, open, pauseMs: reconnectMs, signal, onOutage };
            for await (const page of resumed(place, options)) {
              yield page;
              if (signal.aborted) return;
            }
            if (place.seq === before && !signal.aborted) throw lostError(before);
            continue;
          }
          const page = tail.pageBehind(place.seq);
          if (page) {
            yield page;
            place.pass(page);
          } else {
            if (tail.failure) throw tail.failure;
            await notice.wait(seen, signal);
          }
        }
      } finally {
        leave(tail);
      }
    },
    async close() {
      for (const tail of tails) tail.end();
      await journal.close();
    },
  };
}

function lostError(seq: number): MlogError {
  return new MlogError('data_loss', `The journal no longer has the entries after ${seq}.`);
}

/** The newest entries of a journal, starting with the first one after a follower asked. */
class SharedTail {
  /** Resolves once the start of the tail is known. */
  readonly begun: Promise<Head>;
  /** The entries follow this `seq` without a gap, so a position gives the index. */
  after = Infinity;
  failure: MlogError | undefined;
  followers = 0;
  #id = '';
  readonly #journal: Journal;
  readonly #onChange: () => void;
  readonly #onOutage: (error: MlogError) => void;
  readonly #stop = new AbortController();
  readonly #entries: Entry[] = [];
  #bytes = 0;

  constructor(journal: Journal, onChange: () => void, onOutage: (error: MlogError) => void) {
    this.#journal = journal;
    this.#onChange = onChange;
    this.#onOutage = onOutage;
    this.begun = this.#begin();
  }

  /** Says whether the tail is running and can serve followers of this journal. */
  isOf(asked: string | undefined): boolean {
    return !this.failure && !isOtherJournal(asked, this.#id);
  }

  async #begin(): Promise<Head> {
    try {
      const head = await this.#journal.head();
      this.after = head.lastSeq;
      this.#id = head.journal;
      const place = await placeAtEnd(this.#journal, head);
      void this.#run(place, head);
      return head;
    } catch (error) {
      this.failure = toMlogError(error);
      throw error;
    }
  }

  async #run(place: Place, head: Head): Promise<void> {
    const { signal } = this.#stop;
    const journal = this.#journal;
    const onOutage = this.#onOutage;
    const open = async function* (now: Head): AsyncGenerator<Page> {
      yield* journal.follow({
        after: place.seq,
        signal,
        journal: now.journal,
      });
      throw new MlogError('unavailable', 'The followed service has stopped.');
    };
    const options = { journal, head, open, pauseMs: reconnectMs, signal, onOutage };
    try {
      for await (const entries of resumed(place, options)) {
        this.#add(entries);
        this.#onChange();
        await sleep(gatherMs);
      }
    } catch (error) {
      this.failure ??= toMlogError(error);
      this.#onChange();
    }
  }

  #add(page: Page): void {
    const entries = this.#entries;
    for (const entry of page) entries.push(entry);
    this.#bytes += byteCount(page);
    const isTooMuch = (kept: number) => kept > tailMaxCount || this.#bytes > tailMaxBytes;
    let dropped = 0;
    // The newest page stays whole, because its followers are about to take it.
    while (dropped < entries.length - page.length && isTooMuch(entries.length - dropped)) {
      this.#bytes -= byteCount([entries[dropped]!]);
      dropped += 1;
    }
    entries.splice(0, dropped);
    this.after += dropped;
  }

  /**
   * Returns what follows a position within the tail, or undefined if there is nothing. It returns a
   * part of a long tail, so that a stalled follower holds little memory. The cost does not depend
   * on the length.
   */
  pageBehind(position: number): Page | undefined {
    return firstPart(this.#entries, position - this.after);
  }

  end(): void {
    this.failure ??= new MlogError('closed', 'The journal is closed.');
    this.#stop.abort();
    this.#onChange();
  }
}
