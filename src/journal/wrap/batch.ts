import { toMlogError } from '../../errors.ts';
import { byteCount, type Message } from '../../message.ts';
import { createGate } from '../gate.ts';
import type { AppendResult, Journal } from '../journal.ts';

/** The bounds of one batch. A larger append is a batch of its own. */
export interface BatchOptions {
  readonly batchMaxCount: number;
  readonly batchMaxBytes: number;
  /**
   * A batch without a reply for this long is overdue and no longer holds back the next one. Unset
   * in front of a disk, where a batch can only wait for the one before it.
   */
  readonly overdueMs?: number;
}

/**
 * While the journal works on one batch, the next one is ready. Measured with 64 connections: 1.07
 * times the POST/s of one batch in flight; three in flight are smaller and gain nothing.
 */
const inFlightMax = 2;

/**
 * The most batches without a reply, overdue ones included; over HTTP each takes a connection. If
 * every third reply is lost and an attempt may take 8 s, the service still gets 96 batches a
 * second. The limits of the queue bound the memory that they hold.
 */
const unansweredMax = 256;

/**
 * This many messages are sent before the turn of the event loop ends. A turn may bring a message
 * from every connection, and the journal would be idle until the last one is read. Measured with 64
 * connections: 1.3 times the POST/s of batches that end with the turn.
 */
const promptCount = 32;

interface Waiting {
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly resolve: (results: AppendResult[]) => void;
  readonly reject: (error: unknown) => void;
  /** Its batch was refused, so it is sent alone. */
  readonly isAlone?: true;
}

/**
 * Gathers concurrent appends into one append: group commit in front of a disk, coalescing in front
 * of a wire. The messages of one turn of the event loop are sent at its end, or earlier if they
 * fill a batch. A lone message is therefore never held back, and no timer is needed. While two
 * batches are in flight, the next one gathers.
 *
 * An append is never split, and fails only with the batch that it was sent in. If the journal
 * refuses a batch, its appends are sent one by one, so that no caller is refused for what another
 * one sent.
 */
export function withBatch(journal: Journal, options: BatchOptions): Journal {
  let queue: Waiting[] = [];
  let queueCount = 0;
  let inFlight = 0;
  let overdue = 0;
  let isScheduled = false;
  const gate = createGate();

  function hasRoom(): boolean {
    return inFlight < inFlightMax && inFlight + overdue < unansweredMax;
  }

  function takeBatch(takesMany: boolean): Waiting[] {
    let count = 0;
    let bytes = 0;
    let size = 0;
    for (const waiting of queue) {
      const nextCount = count + waiting.messages.length;
      bytes += waiting.bytes;
      if (size > 0) {
        if (!takesMany || waiting.isAlone || queue[0]!.isAlone) break;
        if (nextCount > options.batchMaxCount || bytes > options.batchMaxBytes) break;
      }
      count = nextCount;
      size += 1;
    }
    const batch = queue.slice(0, size);
    queue = queue.slice(size);
    queueCount -= count;
    return batch;
  }

  function append(messages: readonly Message[]): Promise<AppendResult[]> {
    return new Promise((resolve, reject) => {
      gate.enter();
      queue.push({ messages, bytes: byteCount(messages), resolve, reject });
      queueCount += messages.length;
      schedule();
    });
  }

  function schedule(): void {
    if (queue.length === 0 || !hasRoom()) return;
    if (queueCount >= promptCount) return void writeNext();
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (queue.length > 0 && hasRoom()) void writeNext();
    });
  }

  async function writeNext(): Promise<void> {
    inFlight += 1;
    let batch: Waiting[] | undefined;
    let isAnswered = () => {};
    try {
      const takesMany = journal.takesMany?.() ?? true;
      // Until the answer is known, waiting appends stay together: without a service, all of them
      // fail at once.
      batch = takeBatch(typeof takesMany === 'boolean' ? takesMany : await takesMany);
      isAnswered = watch();
      schedule();
      if (batch.length > 0) settle(batch, await appendBatch(batch));
    } catch (error) {
      fail(batch ?? takeBatch(true), error);
    }
    isAnswered();
    inFlight -= 1;
    schedule();
  }

  function appendBatch(batch: readonly Waiting[]): Promise<AppendResult[]> {
    return journal.append(batch.flatMap(({ messages }) => messages));
  }

  /** Counts a batch as overdue instead of in flight once its time is over, until it is answered. */
  function watch(): () => void {
    const { overdueMs } = options;
    if (overdueMs === undefined) return () => {};
    let isOverdue = false;
    const timer = setTimeout(() => {
      isOverdue = true;
      inFlight -= 1;
      overdue += 1;
      schedule();
    }, overdueMs);
    return () => {
      clearTimeout(timer);
      if (!isOverdue) return;
      overdue -= 1;
      inFlight += 1;
    };
  }

  function settle(batch: readonly Waiting[], results: AppendResult[]): void {
    let from = 0;
    for (const { messages, resolve } of batch) {
      resolve(results.slice(from, from + messages.length));
      from += messages.length;
    }
    gate.leave(batch.length);
  }

  function fail(batch: readonly Waiting[], error: unknown): void {
    if (batch.length > 1 && isRefusal(error)) {
      queue = [...batch.map((waiting) => ({ ...waiting, isAlone: true as const })), ...queue];
      for (const { messages } of batch) queueCount += messages.length;
      return;
    }
    for (const { reject } of batch) reject(error);
    gate.leave(batch.length);
  }

  return {
    append,
    read: (range) => journal.read(range),
    follow: (range) => journal.follow(range),
    get: (id) => journal.get(id),
    head: () => journal.head(),
    async close() {
      await gate.close();
      await journal.close();
    },
  };
}

function isRefusal(error: unknown): boolean {
  const { code } = toMlogError(error);
  return code === 'invalid_argument' || code === 'too_large';
}
