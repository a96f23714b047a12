import { Worker } from 'node:worker_threads';
import { MlogError } from '../../errors.ts';
import { withFollow } from '../../journal/follow.ts';
import type { Head, ReadRange } from '../../journal/journal.ts';
import type { Store, StoreOptions } from '../../journal/store.ts';
import type { Entry } from '../../message.ts';
import { ActiveReads, startRetention, describeRetention } from './retention.ts';
import type { VerifyReport } from './verify.ts';
import {
  packMessages,
  unpackEntries,
  unpackResults,
  type PackedEntries,
  type ThreadCall,
  type FailedThreadReply,
  type PackedResults,
  type PageRange,
  type ThreadReply,
  type ThreadData,
} from './wire.ts';

/** How often the files of an idle store are checked. */
const watchMs = 1_000;

/**
 * The program of the thread. Sources run by a test have no bundle of their own and use the built
 * one.
 */
const program = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/sqlite-worker.js' : 'sqlite-worker.js',
  import.meta.url,
);

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
    read: (range) => readPages(thread, readers, range),
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
  const worker = startThread(path, 'verify');
  const reply = await new Promise<ThreadReply>((resolve, reject) => {
    let told: ThreadReply | undefined;
    worker.once('message', (message: ThreadReply) => (told = message));
    worker.once('error', (error) => reject(diedError(error)));
    worker.once('exit', () => (told ? resolve(told) : reject(diedError())));
  });
  if ('error' in reply) throw toError(reply.error);
  return reply.result as VerifyReport;
}

function startThread(path: string, task: ThreadData['task']): Worker {
  return new Worker(program, {
    workerData: { path, task } satisfies ThreadData,
    // Node 22 warns at every start that its SQLite is experimental, between the lines of the
    // diagnostics.
    execArgv: ['--no-warnings'],
  });
}

function toError({ code, message, ...rest }: FailedThreadReply['error']): MlogError {
  return new MlogError(code, message, rest);
}

/** With more reads in progress, each holds little: a small page, and none read ahead. */
const eagerReadersMax = 8;
const smallPageMaxBytes = 32 * 1024;

/** Reads page by page, and requests the next page before the last one is used. */
async function* readPages(
  thread: StoreThread,
  readers: ActiveReads,
  { after, limit, journal }: ReadRange,
): AsyncGenerator<readonly Entry[]> {
  const ask = (from: number, left: number) => {
    const maxBytes = readers.count > eagerReadersMax ? smallPageMaxBytes : undefined;
    const asked = thread.page({ after: from, limit: left, journal, maxBytes });
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

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: MlogError) => void;
}

/** The main thread's side of the store. Calls go out in order, and replies come back in order. */
class StoreThread {
  readonly opened: Promise<string | undefined>;
  onFatal: StoreOptions['onFatal'];
  readonly #worker: Worker;
  readonly #exited: Promise<unknown>;
  readonly #waiting: Waiting[] = [];
  #lastPage: Promise<unknown> = Promise.resolve();
  #closed: MlogError | undefined;

  constructor(path: string) {
    this.#worker = startThread(path, 'serve');
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.opened = new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as Waiting['resolve'], reject });
    });
    this.#worker.on('message', (reply: ThreadReply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#fail(diedError(error)));
    this.#worker.on('exit', () => this.#fail(diedError()));
  }

  /** Calls the thread. The given buffers move there with the call. */
  call<Result>(call: ThreadCall, moved: readonly ArrayBuffer[] = []): Promise<Result> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as Waiting['resolve'], reject });
      this.#worker.postMessage(call, moved);
    });
  }

  /**
   * Requests a page of a long read. Such pages are requested one at a time, whoever reads, so that
   * an append waits behind one page at most. Measured with 100 readers of everything: the median of
   * a form was 6 to 9 ms, and 20 to 30 ms with four pages at a time.
   */
  page(range: PageRange): Promise<PackedEntries> {
    const page = this.#lastPage.then(() => this.call<PackedEntries>({ verb: 'page', ...range }));
    this.#lastPage = page.catch(() => {});
    return page;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      const closing = this.call<void>({ verb: 'close' });
      this.#closed = new MlogError('closed', 'The journal is closed.');
      await closing;
    }
    await this.#exited;
  }

  #receive(reply: ThreadReply): void {
    const waiting = this.#waiting.shift();
    if ('result' in reply) {
      waiting?.resolve(reply.result);
      return;
    }
    const error = toError(reply.error);
    waiting?.reject(error);
    if (reply.fatal) this.#fail(error);
  }

  #fail(error: MlogError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    if (this.#closed) return;
    this.#closed = error;
    this.onFatal?.(error);
  }
}

function diedError(cause?: Error): MlogError {
  return new MlogError('unavailable', 'The thread of the store ended unexpectedly.', {
    hint: 'Start the service again; everything acknowledged is kept.',
    cause,
  });
}
