import type { MlogError } from '../../errors.ts';
import type { AppendResult, ReadRange } from '../../journal/journal.ts';
import type { Entry, Message } from '../../message.ts';
import type { Retention } from './removal.ts';

/** What the main thread asks, one at a time. The replies come in the same order. */
export type ThreadCall =
  | { readonly verb: 'append'; readonly packed: PackedMessages }
  | {
      readonly verb: 'copy';
      readonly entries: readonly Entry[];
      readonly original: string | undefined;
    }
  | ({ readonly verb: 'page' } & PageRange)
  | ({ readonly verb: 'retain' } & Retention)
  | { readonly verb: 'find'; readonly id: string }
  | { readonly verb: 'head' }
  | { readonly verb: 'original' }
  | { readonly verb: 'watch' }
  | { readonly verb: 'close' };

/** The thread's reply to a call. The very first reply tells whether the store is open. */
export type ThreadReply = { readonly result: unknown } | FailedThreadReply;

/** The thread's reply to a call that failed. */
export interface FailedThreadReply {
  readonly error: Pick<MlogError, 'code' | 'message' | 'hint' | 'details'>;
  /** The thread does nothing after this error. */
  readonly fatal: boolean;
}

/** What the thread is started with. */
export interface ThreadData {
  readonly path: string;
  /** Serve the journal in the file until it is closed, check the file, or tell SQLite's version. */
  readonly task: 'serve' | 'verify' | 'version';
}

/** The range of one page. After the first entry, `maxBytes` of text end it. */
export interface PageRange extends ReadRange {
  readonly maxBytes?: number | undefined;
}

/** A page of entries on its way back, in columns: cloning objects takes twice the time. */
export interface PackedEntries {
  readonly seqs: number[];
  readonly ids: string[];
  readonly txts: string[];
  /** Milliseconds since 1970. */
  readonly times: number[];
}

/** Messages on their way to the thread, as bytes whose ownership moves along. */
export interface PackedMessages {
  /** The lengths of the id and of the text of each message, in bytes. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** Ids and texts in UTF-8, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A message as the store keeps it. */
export interface StoredBytes {
  readonly id: Uint8Array;
  readonly txt: Uint8Array;
}

/**
 * The outcome of packed messages, on its way back. In most batches all are new, and the first
 * number is enough.
 */
export type PackedResults =
  | { readonly firstSeq: number }
  | { readonly results: readonly Pick<Required<AppendResult>, 'seq' | 'status'>[] };

/**
 * Packs messages into the bytes that the store wants, which move to another thread without a copy.
 * A structured clone of the messages took twice the time.
 */
export function packMessages(messages: readonly Message[]): PackedMessages {
  const lengths = new Uint32Array(messages.length * 2);
  let units = 0;
  for (const { id, txt } of messages) units += id.length + txt.length;
  // A UTF-16 unit takes at most three bytes in UTF-8.
  const buffer = Buffer.from(new ArrayBuffer(units * 3));
  let end = 0;
  let index = 0;
  for (const { id, txt } of messages) {
    end += lengths[index++] = buffer.write(id, end);
    end += lengths[index++] = buffer.write(txt, end);
  }
  return { lengths, bytes: new Uint8Array(buffer.buffer, 0, end) };
}

/** Yields packed messages one by one. */
export function* unpackMessages({ lengths, bytes }: PackedMessages): Generator<StoredBytes> {
  let end = 0;
  for (let index = 0; index < lengths.length; index += 2) {
    const middle = end + lengths[index]!;
    const id = bytes.subarray(end, middle);
    end = middle + lengths[index + 1]!;
    yield { id, txt: bytes.subarray(middle, end) };
  }
}

/** Returns the outcome of each message, in order. */
export function unpackResults(packed: PackedResults, messages: readonly Message[]): AppendResult[] {
  if ('results' in packed) {
    return packed.results.map(({ status, seq }, index) => ({
      id: messages[index]!.id,
      status,
      seq,
    }));
  }
  return messages.map(({ id }, index) => ({ id, status: 'logged', seq: packed.firstSeq + index }));
}

/** Returns packed entries one by one. */
export function unpackEntries({ seqs, ids, txts, times }: PackedEntries): Entry[] {
  let time = Number.NaN;
  let at = '';
  return seqs.map((seq, index) => {
    // The entries of a batch have one time, and formatting it takes as long as everything else.
    if (times[index] !== time) {
      time = times[index]!;
      at = new Date(time).toISOString();
    }
    return { seq, id: ids[index]!, txt: txts[index]!, at };
  });
}
