import { crc32 } from 'node:zlib';
import { MlogError } from '../errors.ts';
import type { Entry } from '../message.ts';
import type { Database } from './sqlite-driver.ts';
import { checkpoint, unlessFull, type OpenedStore } from './sqlite-file.ts';
import {
  unpackMessages,
  type PackedEntries,
  type PackedMessages,
  type PackedResults,
  type StoredBytes,
} from './sqlite-wire.ts';

type Result = Extract<PackedResults, { results: unknown }>['results'][number];

const pageMaxCount = 1000;
const pageMaxBytes = 1024 * 1024;

/** How far the write-ahead log grows before it is merged: each merge syncs the file as well. */
const logMaxBytes = 16 * 1024 * 1024;

/** What a commit adds to the log beside its messages: the pages at the ends of table and index. */
const commitBytes = 5 * 4_096;

/** A row of the table `entry`. */
export interface Row {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly txt: Uint8Array;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly sum: number;
}

/** The checksum of an entry: SQLite has none of its own, and cannot see a flipped bit in a text. */
export function sumOf(seq: number, id: Uint8Array, txt: Uint8Array): number {
  return crc32(txt, crc32(id, seq % 2 ** 32));
}

/** The verbs of a journal over an open store file, all synchronous. */
export class SqliteStore {
  readonly #database: Database;
  readonly #begin;
  readonly #commit;
  readonly #insert;
  readonly #first;
  readonly #page;
  readonly #find;
  #lastSeq: number;
  readonly #firstSeq: number;
  #logBytes = 0;
  #needsCheckpoint: boolean;

  constructor({ database, needsCheckpoint }: OpenedStore) {
    this.#database = database;
    this.#needsCheckpoint = needsCheckpoint;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#insert = database.prepare(
      'INSERT INTO entry (seq, id, txt, at, sum) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
    );
    this.#first = database.prepare('SELECT seq, txt = ? AS same FROM entry WHERE id = ?');
    this.#page = database.prepare('SELECT * FROM entry WHERE seq > ? ORDER BY seq LIMIT ?');
    this.#find = database.prepare('SELECT seq FROM entry WHERE id = ?');
    const ends = database.prepare('SELECT min(seq) AS first, max(seq) AS last FROM entry');
    const { first, last } = ends.get() as { first: number | null; last: number | null };
    this.#firstSeq = first ?? 1;
    this.#lastSeq = last ?? 0;
  }

  append(packed: PackedMessages): PackedResults {
    const messages = [...unpackMessages(packed)];
    const firstSeq = this.#lastSeq + 1;
    const at = Date.now();
    return this.#write(() => {
      const results = messages.map((message) => this.#appendOne(message, at));
      return this.#lastSeq === firstSeq + messages.length - 1 ? { firstSeq } : { results };
    });
  }

  #appendOne({ id, txt }: StoredBytes, at: number): Result {
    if (this.#add(this.#lastSeq + 1, id, txt, at)) return { status: 'logged', seq: this.#lastSeq };
    const first = this.#first.get(txt, id) as { seq: number; same: number };
    return { status: first.same === 1 ? 'duplicate' : 'conflict', seq: first.seq };
  }

  /** Takes over entries of another journal as they are, behind those that are here. */
  copy(entries: readonly Entry[]): void {
    this.#write(() => {
      for (const { seq, id, txt, at } of entries) {
        const isNext = seq === this.#lastSeq + 1;
        if (!isNext || !this.#add(seq, Buffer.from(id), Buffer.from(txt), Date.parse(at))) {
          throw new MlogError('conflict', `Entry ${seq} does not follow entry ${this.#lastSeq}.`, {
            hint: 'The copy is one of another journal. Copy into a new file.',
          });
        }
      }
    });
  }

  /** Adds an entry as the last one, unless its id is there. */
  #add(seq: number, id: Uint8Array, txt: Uint8Array, at: number): boolean {
    if (this.#insert.run(seq, id, txt, at, sumOf(seq, id, txt)).changes === 0) return false;
    this.#lastSeq = seq;
    this.#logBytes += id.byteLength + txt.byteLength;
    return true;
  }

  /** Runs a change as one transaction: all of it is synced when this returns, or none is there. */
  #write<T>(change: () => T): T {
    this.#checkpointWhenDue();
    const lastSeq = this.#lastSeq;
    this.#begin.run();
    try {
      const result = change();
      this.#commit.run();
      this.#logBytes += commitBytes;
      return result;
    } catch (error) {
      this.#lastSeq = lastSeq;
      try {
        this.#database.exec('ROLLBACK');
      } catch {
        // The error that led here has ended the transaction by itself.
      }
      throw error;
    }
  }

  /** Keeps the log from growing. A disk too full for that is no failure of what was stored. */
  #checkpointWhenDue(): void {
    if (this.#needsCheckpoint) {
      // Not put off: the file has to say that it needs its log before there is something in it.
      checkpoint(this.#database);
      this.#needsCheckpoint = false;
    }
    if (this.#logBytes < logMaxBytes) return;
    this.#logBytes = 0;
    unlessFull(() => checkpoint(this.#database));
  }

  /** Reads at most `limit` entries, ended early by count or by bytes so a page stays small. */
  page(after: number, limit: number): PackedEntries {
    const packed: PackedEntries = { seqs: [], ids: [], txts: [], times: [] };
    let bytes = 0;
    let expected = Math.max(after + 1, this.#firstSeq);
    const rows = this.#page.iterate(after, Math.min(limit, pageMaxCount));
    for (const row of rows as IterableIterator<Row>) {
      // A page in a wrong place repeats entries or leaves some out; each is whole by itself.
      if (row.seq !== expected || sumOf(row.seq, row.id, row.txt) !== row.sum) {
        // What is damaged ends the page before it: all that is whole can be read.
        if (packed.seqs.length > 0) break;
        throw damagedError(expected);
      }
      expected += 1;
      packed.seqs.push(row.seq);
      packed.ids.push(toText(row.id));
      packed.txts.push(toText(row.txt));
      packed.times.push(row.at);
      bytes += row.txt.byteLength;
      if (bytes >= pageMaxBytes) break;
    }
    return packed;
  }

  /** Gives the place of the entry under an id, 0 where there is none. */
  find(id: string): number {
    const row = this.#find.get(Buffer.from(id)) as { seq: number } | undefined;
    return row?.seq ?? 0;
  }

  head(): { lastSeq: number } {
    return { lastSeq: this.#lastSeq };
  }
}

function damagedError(seq: number): MlogError {
  return new MlogError('data_loss', `Entry ${seq} of the store is damaged on its disk.`, {
    hint: 'Read on behind it, and see what `mlog verify` tells of the store.',
    details: { seq },
  });
}

function toText({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}
