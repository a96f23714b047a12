import { isDeepStrictEqual } from 'node:util';
import { toMlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import { otherOriginalError } from './copy.ts';
import { checkJournal, checkSeen, goneError, replacedError } from './gone.ts';
import type { Head, Journal } from './journal.ts';
import type { Store } from './store.ts';

/** What a place begins with. */
interface PlaceOptions {
  /** The position. Not set is right before the oldest entry there is at the first check. */
  readonly seq?: number | undefined;
  readonly entry?: Entry | undefined;
  /** The id of the journal; learned at the first check where it is not known. */
  readonly journal?: string | undefined;
  /** The entries that were read are kept as a copy: of another journal nothing may be added. */
  readonly isCopy?: boolean;
}

/** What a reader knows of where it is in a journal, to find that place there again. */
export class Place {
  /** The position: the `seq` of the last entry that was read. */
  seq: number;
  /** That entry, where it is known. */
  #entry: Entry | undefined;
  /** The id of the journal, once it is known. */
  journal: string | undefined;
  #isAtOldest: boolean;
  readonly #isCopy: boolean;

  constructor({ seq, entry, journal, isCopy = false }: PlaceOptions = {}) {
    this.seq = seq ?? 0;
    this.#entry = entry;
    this.journal = journal;
    this.#isAtOldest = seq === undefined;
    this.#isCopy = isCopy;
  }

  /** Moves behind a page that was read. */
  pass(page: readonly Entry[]): void {
    this.#entry = page.at(-1)!;
    this.seq = this.#entry.seq;
    this.#isAtOldest = false;
  }

  /**
   * Checks that a journal which stands there can be the one that was read. Throws `gone` where it
   * has another id or ends before this place (a copy throws `conflict`), and where retention has
   * removed what comes next. An older service tells no id, and is not known by it.
   */
  check(head: Head): void {
    if (this.#isAtOldest) this.seq = head.firstSeq - 1;
    this.#isAtOldest = false;
    this.#sameOrThrow(() => {
      checkJournal(this.journal, head.journal);
      checkSeen(this.seq, head);
    });
    this.journal ||= head.journal;
    if (this.seq < head.firstSeq - 1) throw goneError(this.seq, head.firstSeq);
  }

  /** Checks as `check` does, and that the last entry that was read is still in its place there. */
  async confirm(journal: Pick<Journal, 'head' | 'read'>): Promise<Head> {
    const head = await journal.head();
    this.check(head);
    if (this.#entry) {
      const found = await readOne(journal, this.seq, head.journal);
      const isSame = !found || isDeepStrictEqual(found, this.#entry);
      this.#sameOrThrow(() => {
        if (!isSame) throw replacedError(this.seq);
      });
    }
    return head;
  }

  #sameOrThrow(check: () => void): void {
    try {
      check();
    } catch (error) {
      throw this.#isCopy ? otherOriginalError(error) : error;
    }
  }
}

/** Gives the place at the end of a journal that stands there, with its entry if that can be read. */
export async function placeAtEnd(
  journal: Pick<Journal, 'read'>,
  { journal: id, firstSeq, lastSeq: seq }: Head,
): Promise<Place> {
  const read = seq < firstSeq ? undefined : readOne(journal, seq, id).catch(() => undefined);
  return new Place({ seq, entry: await read, journal: id });
}

/** Gives the place at which a copy ends, for it to go on there in the journal it is a copy of. */
export async function endOfCopy(copy: Store): Promise<Place> {
  const { firstSeq, lastSeq } = await copy.head();
  const journal = await copy.original();
  if (lastSeq < firstSeq) return new Place({ journal, isCopy: true });
  return new Place({ seq: lastSeq, entry: await readOne(copy, lastSeq), journal, isCopy: true });
}

/** Gives one entry; undefined where retention has removed it. */
async function readOne(
  journal: Pick<Journal, 'read'>,
  seq: number,
  id?: string,
): Promise<Entry | undefined> {
  try {
    const range = { after: seq - 1, limit: 1, journal: id };
    for await (const [entry] of journal.read(range)) return entry;
  } catch (error) {
    if (toMlogError(error).code !== 'gone') throw error;
  }
  return undefined;
}
