import { withFollow } from '../../journal/follow.ts';
import type { Head, ReadRange } from '../../journal/journal.ts';
import type { Store, StoreOptions } from '../../journal/store.ts';
import type { Entry } from '../../message.ts';
import { ActiveReads, startRetention, describeRetention } from './retention.ts';
import { diedError, startThread, StoreThread, toError } from './thread.ts';
import type { VerifyReport } from './verify.ts';
import {
  packMessages,
  unpackEntries,
  unpackResults,
  type PackedEntries,
  type PackedResults,
  type PageRange,
  type ThreadData,
  type ThreadReply,
} from './wire.ts';

/** How often the files of an idle store are checked. */
const watchMs = 1_000;

/**
 * Opens the journal in a SQLite file, which is created if it is missing. Throws
 * `failed_precondition` if the path cannot be used, holds something else, or belongs to another
 * process.
 *
 * SQLite runs on a thread of its own, with one connection: a sync takes milliseconds and must not
 * block the event loop.
 */
export async function openSqliteJournal(path: string, options: StoreOptions = {}): Promise<Store> {
  const thread = new StoreThread(path);
  const warning = await thread.opened;
  if (warning !== undefined) options.onWarning?.(warning);
  thread.onFatal = options.onFatal;
  const readers = new ActiveReads();
  const retention = startRetention(thread, readers, options);
  // A service that receives no messages must notice, too, that it is no longer ready.
  const watch = setInterval(() => thread.call({ verb: 'watch' }).catch(() => {}), watchMs).unref();
  return withFollow({
    durability: 'synced to disk before every reply',
    keeps: describeRetention(options),
    async append(messages) {
      const packed = packMessages(messages);
      const moved = [packed.lengths.buffer, packed.bytes.buffer];
      const results = await thread.call<PackedResults>({ verb: 'append', packed }, moved);
      return unpackResults(results, messages);
    },
    copy: (entries, original) => thread.call<void>({ verb: 'copy', entries, original }),
    original: () => thread.call<string | undefined>({ verb: 'original' }),
    read: (range) => readPages(readers, range, (page) => thread.pageInTurn(page)),
    readNew: (range) => readPages(readers, range, (page) => thread.page(page)),
    async get(id) {
      const [entry] = unpackEntries(await thread.call<PackedEntries>({ verb: 'find', id }));
      return entry;
    },
    head: () => thread.call<Head>({ verb: 'head' }),
    close() {
      clearInterval(retention);
      clearInterval(watch);
      return thread.close();
    },
  });
}

/**
 * Checks every page and every entry of a store that no service has open. Throws
 * `failed_precondition` if it cannot be opened at all.
 */
export async function verifySqliteStore(path: string): Promise<VerifyReport> {
  return (await runTask(path, 'verify')) as VerifyReport;
}

/** Returns the version of the SQLite that stores use. */
export async function sqliteVersion(): Promise<string> {
  return (await runTask('', 'version')) as string;
}

/** Runs a task with one result on a thread of its own. */
async function runTask(path: string, task: ThreadData['task']): Promise<unknown> {
  const worker = startThread(path, task);
  const reply = await new Promise<ThreadReply>((resolve, reject) => {
    let told: ThreadReply | undefined;
    worker.once('message', (message: ThreadReply) => (told = message));
    worker.once('error', (error) => reject(diedError(error)));
    worker.once('exit', () => (told ? resolve(told) : reject(diedError())));
  });
  if ('error' in reply) throw toError(reply.error);
  return reply.result;
}

/** With more reads in progress, each holds little: a small page, and none read ahead. */
const eagerReadersMax = 8;
const smallPageMaxBytes = 32 * 1024;

/** Reads page by page, and requests the next page before the last one is used. */
async function* readPages(
  readers: ActiveReads,
  { after, limit, journal }: ReadRange,
  read: (range: PageRange) => Promise<PackedEntries>,
): AsyncGenerator<readonly Entry[]> {
  const ask = (from: number, left: number) => {
    const maxBytes = readers.count > eagerReadersMax ? smallPageMaxBytes : undefined;
    const asked = read({ after: from, limit: left, journal, maxBytes });
    // A page that was read ahead is of no use once its reader has left.
    asked.catch(() => {});
    return asked;
  };
  const reader = readers.enter(after);
  try {
    let left = limit;
    let asked = left > 0 ? ask(after, left) : undefined;
    while (asked) {
      const page = unpackEntries(await asked);
      const last = page.at(-1);
      if (!last) return;
      left -= page.length;
      reader.after = last.seq;
      const isEager = readers.count <= eagerReadersMax;
      asked = left > 0 && isEager ? ask(last.seq, left) : undefined;
      yield page;
      if (left > 0) asked ??= ask(last.seq, left);
    }
  } finally {
    readers.leave(reader);
  }
}
