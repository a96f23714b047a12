import { isDeepStrictEqual } from 'node:util';
import { toMlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import { otherOriginalError } from './copy.ts';
import { checkJournal, checkSeen, goneError, replacedError } from './gone.ts';
import type { Head, Journal } from './journal.ts';
import type { Store } from './store.ts';

/** Where a place starts. */
interface PlaceOptions {
  /** The position. If unset, the place starts before the oldest entry at the first check. */
  readonly seq?: number | undefined;
  readonly entry?: Entry | undefined;
  /** The id of the journal. If unset, it is learned at the first check. */
  readonly journal?: string | undefined;
  /** The entries read are stored as a copy, so nothing of another journal may follow them. */
  readonly isCopy?: boolean;
}

/** A reader's position in a journal, with what is needed to find it there again. */
export class Place {
  /** The position: the `seq` of the last entry read. */
  seq: number;
  /** That entry, if it is known. */
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

  /** Advances past a page that was read. */
  pass(page: readonly Entry[]): void {
    this.#entry = page.at(-1)!;
    this.seq = this.#entry.seq;
    this.#isAtOldest = false;
  }

  /**
   * Checks that a journal with this head can be the one that was read. Throws `gone` if it has
   * another id or ends before this place (for a copy, `conflict`), and if retention has removed the
   * next entry. An older service tells no id, so its id is not compared.
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

  /**
   * Checks like `check`, and also that the journal still has the last entry read at its position.
   */
  async confirm(journal: Pick<Journal, 'head' | 'read'>): Promise<Head> {
    const head = await journal.head();
    this.check(head);
    if (this.#entry) {
      const stored = await readOne(journal, this.seq, head.journal);
      const isSame = !stored || isDeepStrictEqual(stored, this.#entry);
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

/** Returns the place at the end of a journal, with its last entry if that can be read. */
export async function placeAtEnd(
  journal: Pick<Journal, 'read'>,
  { journal: id, firstSeq, lastSeq: seq }: Head,
): Promise<Place> {
  const read = seq < firstSeq ? undefined : readOne(journal, seq, id).catch(() => undefined);
  return new Place({ seq, entry: await read, journal: id });
}

/** Returns the place where a copy ends, from which to continue in its original. */
export async function endOfCopy(copy: Store): Promise<Place> {
  const { firstSeq, lastSeq } = await copy.head();
  const journal = await copy.original();
  if (lastSeq < firstSeq) return new Place({ journal, isCopy: true });
  return new Place({ seq: lastSeq, entry: await readOne(copy, lastSeq), journal, isCopy: true });
}

/** Reads one entry; undefined if retention has removed it. */
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
