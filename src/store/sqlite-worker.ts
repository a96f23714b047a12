import { parentPort, workerData } from 'node:worker_threads';
import { MlogError } from '../errors.ts';
import type { AppendResult } from '../journal/journal.ts';
import type { Entry, Message } from '../message.ts';
import { resultCode, resultCodes, type Database } from './sqlite-driver.ts';
import { openStoreFile } from './sqlite-file.ts';

/** What the main thread asks, one at a time; the replies come in the same order. */
export type Call =
  | { readonly verb: 'append'; readonly messages: readonly Message[] }
  | { readonly verb: 'page'; readonly after: number; readonly limit: number }
  | { readonly verb: 'get'; readonly id: string }
  | { readonly verb: 'head' }
  | { readonly verb: 'close' };

/** What the thread answers to a call; the first reply of all tells whether the store is open. */
export type Reply =
  | { readonly result: unknown }
  | {
      readonly error: Pick<MlogError, 'code' | 'message' | 'hint'>;
      /** After this error the thread stores nothing any more. */
      readonly fatal: boolean;
    };

/** What the thread is started with. */
export interface ThreadData {
  readonly path: string;
}

const pageMaxCount = 1000;
const pageMaxBytes = 1024 * 1024;

interface Row {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly txt: Uint8Array;
  readonly at: number;
}

/** The verbs of a journal over an open store, all synchronous: this thread does nothing else. */
class Store {
  readonly #database: Database;
  readonly #begin;
  readonly #commit;
  readonly #insert;
  readonly #first;
  readonly #page;
  readonly #get;
  #lastSeq: number;

  constructor(database: Database) {
    this.#database = database;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#insert = database.prepare(
      'INSERT INTO entry (seq, id, txt, at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
    );
    this.#first = database.prepare('SELECT seq, txt = ? AS same FROM entry WHERE id = ?');
    this.#page = database.prepare(
      'SELECT seq, id, txt, at FROM entry WHERE seq > ? ORDER BY seq LIMIT ?',
    );
    this.#get = database.prepare('SELECT seq, id, txt, at FROM entry WHERE id = ?');
    const last = database.prepare('SELECT max(seq) AS seq FROM entry').get() as { seq: number };
    this.#lastSeq = last.seq ?? 0;
  }

  append(messages: readonly Message[]): AppendResult[] {
    let seq = this.#lastSeq;
    const at = Date.now();
    this.#begin.run();
    try {
      const results = messages.map(({ id, txt }): AppendResult => {
        const idBytes = Buffer.from(id);
        const txtBytes = Buffer.from(txt);
        if (this.#insert.run(seq + 1, idBytes, txtBytes, at).changes === 1) {
          seq += 1;
          return { id, status: 'logged', seq };
        }
        const first = this.#first.get(txtBytes, idBytes) as { seq: number; same: number };
        return { id, status: first.same === 1 ? 'duplicate' : 'conflict', seq: first.seq };
      });
      this.#commit.run();
      this.#lastSeq = seq;
      return results;
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  #rollback(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // The error that led here has ended the transaction by itself.
    }
  }

  /** Reads at most `limit` entries, ended early by count or by bytes so a page stays small. */
  page(after: number, limit: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    const rows = this.#page.iterate(after, Math.min(limit, pageMaxCount));
    for (const row of rows as IterableIterator<Row>) {
      entries.push(toEntry(row));
      bytes += row.txt.byteLength;
      if (bytes >= pageMaxBytes) break;
    }
    return entries;
  }

  get(id: string): Entry | undefined {
    const row = this.#get.get(Buffer.from(id)) as Row | undefined;
    return row && toEntry(row);
  }

  head(): { lastSeq: number } {
    return { lastSeq: this.#lastSeq };
  }

  close(): void {
    this.#database.close();
  }
}

function toEntry({ seq, id, txt, at }: Row): Entry {
  return { seq, id: toText(id), txt: toText(txt), at: new Date(at).toISOString() };
}

function toText({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}

function run(store: Store, call: Call): unknown {
  switch (call.verb) {
    case 'append':
      return store.append(call.messages);
    case 'page':
      return store.page(call.after, call.limit);
    case 'get':
      return store.get(call.id);
    case 'head':
      return store.head();
    case 'close':
      return store.close();
  }
}

function toErrorReply(error: unknown): Reply {
  if (error instanceof MlogError) {
    return { error: { code: error.code, message: error.message, hint: error.hint }, fatal: true };
  }
  if (resultCode(error) === resultCodes.full) {
    return {
      error: {
        code: 'storage_full',
        message: 'The disk under the store is full; nothing was stored.',
        hint: 'Free some space; the service goes on by itself.',
      },
      fatal: false,
    };
  }
  // After a failed write or sync nobody knows what is on the disk, and a later sync that succeeds
  // proves nothing. Only reading the file anew tells, so the thread stops here.
  const reason = error instanceof Error ? error.message : String(error);
  return {
    error: {
      code: 'unavailable',
      message: `The store failed: ${reason}.`,
      hint: 'Look after the disk, then start the service again; what was acknowledged is kept.',
    },
    fatal: true,
  };
}

const port = parentPort!;
try {
  const store = new Store(await openStoreFile((workerData as ThreadData).path));
  port.on('message', (call: Call) => {
    try {
      port.postMessage({ result: run(store, call) } satisfies Reply);
      if (call.verb === 'close') port.close();
    } catch (error) {
      const reply = toErrorReply(error);
      port.postMessage(reply);
      if ('fatal' in reply && reply.fatal) port.close();
    }
  });
  port.postMessage({ result: undefined } satisfies Reply);
} catch (error) {
  port.postMessage(toErrorReply(error));
  port.close();
}
