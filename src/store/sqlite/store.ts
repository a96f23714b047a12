import { checkOriginal, copyError } from '../../journal/copy.ts';
import { checkJournal, goneError } from '../../journal/gone.ts';
import type { Head } from '../../journal/journal.ts';
import type { Entry } from '../../message.ts';
import { rollBack, type Database } from './driver.ts';
import type { OpenedStore } from './file.ts';
import { unlessFull, type StoreLog } from './log.ts';
import type { OpenFiles } from './open-files.ts';
import { SqlitePages, sumOf } from './pages.ts';
import { Removal, type Removed, type Retention, type Swept } from './removal.ts';
import { readState } from './schema.ts';
import {
  unpackMessages,
  type PackedEntries,
  type PackedMessages,
  type PackedResults,
  type PageRange,
  type StoredBytes,
} from './wire.ts';

type Result = Extract<PackedResults, { results: unknown }>['results'][number];

/** How far the write-ahead log grows before it is merged. Each merge syncs the file as well. */
const logMaxBytes = 16 * 1024 * 1024;

/**
 * This many messages are inserted by one statement, because the driver's work for a statement takes
 * longer than the insert. Measured in batches of 64: 1.6 µs per message, 2.7 µs one by one.
 */
const insertMaxCount = 16;

/** What a removal adds to the log on average: parts of pages of the table and of the index. */
const removedBytes = 512;

/** What a commit adds to the log besides its messages: the pages at the ends of table and index. */
const commitBytes = 5 * 4_096;

function insertOf(count: number): string {
  const rows = Array.from({ length: count }, () => '(?, ?, ?, ?, ?)').join(', ');
  return `INSERT INTO entry (seq, id, txt, at, sum) VALUES ${rows} ON CONFLICT (id) DO NOTHING`;
}

/** The verbs of a journal over an open store file, all synchronous. */
export class SqliteStore {
  readonly #database: Database;
  readonly #begin;
  readonly #commit;
  readonly #insert;
  readonly #insertMany;
  readonly #removeBehind;
  readonly #first;
  readonly #pages;
  readonly #find;
  readonly #removal: Removal;
  readonly #journal: string;
  #original: string;
  #lastSeq: number;
  #logBytes = 0;
  readonly #log: StoreLog;
  readonly #files: OpenFiles;

  constructor({ database, log, files }: OpenedStore) {
    this.#database = database;
    this.#log = log;
    this.#files = files;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#insert = database.prepare(insertOf(1));
    this.#insertMany = database.prepare(insertOf(insertMaxCount));
    this.#removeBehind = database.prepare('DELETE FROM entry WHERE seq > ?');
    this.#first = database.prepare('SELECT seq, txt = ? AS same FROM entry WHERE id = ?');
    this.#find = database.prepare('SELECT seq FROM entry WHERE id = ?');
    // Two queries: SQLite finds only a lone min or max without a scan. With ten million entries,
    // both in one query took 0.8 s.
    const ends = database.prepare(
      'SELECT (SELECT min(seq) FROM entry) AS first, (SELECT max(seq) FROM entry) AS last',
    );
    const { first, last } = ends.get() as { first: number | null; last: number | null };
    this.#pages = new SqlitePages(database);
    ({ journal: this.#journal, original: this.#original } = readState(database));
    this.#removal = new Removal(database, first ?? 1);
    this.#lastSeq = last ?? 0;
  }

  append(packed: PackedMessages): PackedResults {
    const messages = [...unpackMessages(packed)];
    const firstSeq = this.#lastSeq + 1;
    const at = Date.now();
    return this.#write(() => {
      if (this.#addAll(messages, at)) return { firstSeq };
      return { results: messages.map((message) => this.#appendOne(message, at)) };
    });
  }

  /** Adds messages that are all new. Adds none of them if any id is stored already. */
  #addAll(messages: readonly StoredBytes[], at: number): boolean {
    const before = this.#lastSeq;
    for (let from = 0; from < messages.length;) {
      const isMany = messages.length - from >= insertMaxCount;
      const some = messages.slice(from, from + (isMany ? insertMaxCount : 1));
      const values = some.flatMap(({ id, txt }, index) => {
        const seq = this.#lastSeq + 1 + index;
        return [seq, id, txt, at, sumOf(seq, id, txt)];
      });
      const { changes } = (isMany ? this.#insertMany : this.#insert).run(...values);
      if (changes !== some.length) {
        this.#removeBehind.run(before);
        this.#lastSeq = before;
        return false;
      }
      this.#lastSeq += some.length;
      for (const { id, txt } of some) this.#logBytes += id.byteLength + txt.byteLength;
      from += some.length;
    }
    return true;
  }

  #appendOne({ id, txt }: StoredBytes, at: number): Result {
    if (this.#add(this.#lastSeq + 1, id, txt, at)) return { status: 'logged', seq: this.#lastSeq };
    const first = this.#first.get(txt, id) as { seq: number; same: number };
    return { status: first.same === 1 ? 'duplicate' : 'conflict', seq: first.seq };
  }

  /** Stores entries of another journal unchanged, after those that are here. */
  copy(entries: readonly Entry[], original?: string): void {
    checkOriginal(original, this.original());
    const isEmpty = this.#lastSeq < this.#removal.firstSeq;
    this.#write(() => {
      if (original && original !== this.#original) {
        this.#database.prepare('UPDATE state SET original = ?').run(original);
      }
      for (const [index, { seq, id, txt, at }] of entries.entries()) {
        const isNext = seq === this.#lastSeq + 1 || (isEmpty && index === 0);
        if (!isNext || !this.#add(seq, Buffer.from(id), Buffer.from(txt), Date.parse(at))) {
          throw copyError(seq, this.#lastSeq);
        }
      }
    });
    const first = entries[0];
    if (original) this.#original = original;
    if (isEmpty && first) this.#removal.beginAt(first.seq);
  }

  /**
   * Removes some of the oldest announced entries, but none from `heldFrom` on, and says whether
   * more remain. If none remain, it announces the next ones by raising the first `seq` of the
   * journal: readers that learn it have until the next sweep to start there.
   */
  retain(retention: Retention): Swept {
    const { until, hasMore } = this.#removal.nextEnd(retention.heldFrom);
    let removed: Removed | undefined;
    if (until > this.#removal.firstSeq) {
      removed = this.#write(() => this.#removal.remove(until));
      this.#logBytes += (until - this.#removal.firstSeq) * removedBytes;
      this.#removal.removed(until);
    }
    if (!hasMore) this.#removal.announce(this.#lastSeq, retention);
    return { hasMore, removed, newestAt: this.#removal.timeOf(this.#lastSeq) };
  }

  /** Adds an entry as the last one, unless its id is stored already. */
  #add(seq: number, id: Uint8Array, txt: Uint8Array, at: number): boolean {
    if (this.#insert.run(seq, id, txt, at, sumOf(seq, id, txt)).changes === 0) return false;
    this.#lastSeq = seq;
    this.#logBytes += id.byteLength + txt.byteLength;
    return true;
  }

  /**
   * Runs a change as one transaction. When it returns, everything is synced; if it throws, nothing
   * is there.
   */
  #write<T>(change: () => T): T {
    this.#checkpointWhenDue();
    const lastSeq = this.#lastSeq;
    this.#begin.run();
    try {
      const result = change();
      this.#commit.run();
      // Not a second later: what is acknowledged must be in the file that the next start finds.
      this.#files.checkAfterChange();
      this.#logBytes += commitBytes;
      return result;
    } catch (error) {
      this.#lastSeq = lastSeq;
      rollBack(this.#database);
      throw error;
    }
  }

  /** Keeps the log from growing. A disk too full for a merge does not affect what was stored. */
  #checkpointWhenDue(): void {
    this.#log.begin();
    if (this.#logBytes < logMaxBytes) return;
    this.#logBytes = 0;
    unlessFull(() => this.#log.restart());
  }

  /**
   * Reads at most `limit` entries, ended early by count or by bytes so that a page stays small.
   * Throws `gone` if the next entry was removed.
   */
  page({ after, limit, journal, maxBytes }: PageRange): PackedEntries {
    checkJournal(journal, this.#journal);
    if (after < this.#removal.firstSeq - 1) throw goneError(after, this.#removal.keptFrom);
    return this.#pages.read(after, limit, maxBytes);
  }

  /** Reads the entry under an id. Returns an empty page if there is none. */
  find(id: string): PackedEntries {
    const row = this.#find.get(Buffer.from(id)) as { seq: number } | undefined;
    return row ? this.#pages.read(row.seq - 1, 1) : { seqs: [], ids: [], txts: [], times: [] };
  }

  head(): Head {
    return { journal: this.#journal, firstSeq: this.#removal.keptFrom, lastSeq: this.#lastSeq };
  }

  original(): string | undefined {
    return this.#original || undefined;
  }
}
