import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { MlogError } from '../../errors.ts';
import type { StoreOptions } from '../../journal/store.ts';
import type {
  FailedThreadReply,
  PackedEntries,
  PageRange,
  ThreadCall,
  ThreadData,
  ThreadReply,
} from './wire.ts';

/**
 * The program of the thread. Sources run by a test have no bundle of their own and use the built
 * one.
 */
const program = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/sqlite-worker.js' : 'sqlite-worker.js',
  import.meta.url,
);

/** Starts the thread of a store. */
export function startThread(path: string, task: ThreadData['task']): Worker {
  return new Worker(program, {
    workerData: { path, task } satisfies ThreadData,
    // Node 22 warns at every start that its SQLite is experimental, between the lines of the
    // diagnostics.
    execArgv: ['--no-warnings'],
  });
}

/** Converts an error that the thread reported. */
export function toError({ code, message, ...rest }: FailedThreadReply['error']): MlogError {
  return new MlogError(code, message, rest);
}

/**
 * While messages arrive, that many readers get an eighth of the thread: after each page it is free
 * for this many times as long as the page took. Measured with 100 stalled followers and 200 slow
 * readers on two cores: the p99 of a form was 23 to 25 ms after they had come (9 to 16 without
 * them), and 55 to 100 ms without the pauses.
 */
const pagePauses = 7;
const pageMaxMs = 5;
const appendingMs = 50;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: MlogError) => void;
}

/** The main thread's side of the store. Calls go out in order, and replies come back in order. */
export class StoreThread {
  readonly opened: Promise<string | undefined>;
  onFatal: StoreOptions['onFatal'];
  readonly #worker: Worker;
  readonly #exited: Promise<unknown>;
  readonly #waiting: Waiting[] = [];
  #lastPage: Promise<unknown> = Promise.resolve();
  #closed: MlogError | undefined;
  #appendedAtMs = -Infinity;
  #pageMs = 0;

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
    if (call.verb === 'append') this.#appendedAtMs = performance.now();
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as Waiting['resolve'], reject });
      this.#worker.postMessage(call, moved);
    });
  }

  /** Requests a page, ahead of those that wait for their turn. */
  page(range: PageRange): Promise<PackedEntries> {
    return this.call<PackedEntries>({ verb: 'page', ...range });
  }

  /**
   * Requests a page of a long read. Such pages are requested one at a time, whoever reads, so that
   * an append waits behind one page at most. Measured with 100 readers of everything: the median of
   * a form was 6 to 9 ms, and 20 to 30 ms with four pages at a time.
   */
  pageInTurn(range: PageRange): Promise<PackedEntries> {
    const page = this.#lastPage.then(() => this.#pageAfterPause(range));
    this.#lastPage = page.catch(() => {});
    return page;
  }

  async #pageAfterPause(range: PageRange): Promise<PackedEntries> {
    const isShared = range.maxBytes !== undefined;
    const areAppending = performance.now() - this.#appendedAtMs < appendingMs;
    if (isShared && areAppending) await sleep(pagePauses * this.#pageMs);
    const beganAtMs = performance.now();
    const page = await this.page(range);
    this.#pageMs = Math.min(performance.now() - beganAtMs, pageMaxMs);
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

/** Returns the error for a thread that ended by itself. */
export function diedError(cause?: Error): MlogError {
  return new MlogError('unavailable', 'The thread of the store ended unexpectedly.', {
    hint: 'Start the service again; everything acknowledged is kept.',
    cause,
  });
}
