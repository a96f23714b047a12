import { toMlogError } from '../errors.ts';
import { byteCount, type Message } from '../message.ts';
import { createGate } from './gate.ts';
import type { AppendResult, Journal } from './journal.ts';

/** How much one batch takes. An append larger than that makes a batch of its own. */
export interface BatchOptions {
  readonly batchMaxCount: number;
  readonly batchMaxBytes: number;
}

interface Waiting {
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly resolve: (results: AppendResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers concurrent appends into one append of the journal below: group commit in front of a
 * disk, coalescing in front of a wire. While one batch is being written the next one gathers, so
 * a lone message is never held back and no timer is needed.
 *
 * An append is never split between two batches. When the journal below refuses a batch, its
 * appends are tried one by one, so nobody is refused for what somebody else sent.
 */
export function withBatch(journal: Journal, options: BatchOptions): Journal {
  let queue: Waiting[] = [];
  let writing: Promise<void> | undefined;
  const gate = createGate();

  function takeBatch(): Waiting[] {
    let count = 0;
    let bytes = 0;
    let size = 0;
    for (const waiting of queue) {
      count += waiting.messages.length;
      bytes += waiting.bytes;
      if (size > 0 && (count > options.batchMaxCount || bytes > options.batchMaxBytes)) break;
      size += 1;
    }
    const batch = queue.slice(0, size);
    queue = queue.slice(size);
    return batch;
  }

  async function write(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await journal.append(batch.flatMap((waiting) => waiting.messages));
      let from = 0;
      for (const { messages, resolve } of batch) {
        resolve(results.slice(from, from + messages.length));
        from += messages.length;
      }
    } catch (error) {
      if (batch.length > 1 && isRefusal(error)) {
        for (const waiting of batch) await write([waiting]);
      } else {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  function enqueue(messages: readonly Message[]): Promise<AppendResult[]> {
    const bytes = byteCount(messages);
    return new Promise((resolve, reject) => {
      queue.push({ messages, bytes, resolve, reject });
      writing ??= writeAll();
    });
  }

  async function writeAll(): Promise<void> {
    while (queue.length > 0) {
      await write(takeBatch());
    }
    writing = undefined;
  }

  return {
    append: (messages) => gate.pass(() => enqueue(messages)),
    read: (range) => journal.read(range),
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
