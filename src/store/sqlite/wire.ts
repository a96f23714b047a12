import type { MlogError } from '../../errors.ts';
import type { AppendResult, ReadRange } from '../../journal/journal.ts';
import type { Entry, Message } from '../../message.ts';
import type { Retention } from './removal.ts';

/** What the main thread asks, one at a time; the replies come in the same order. */
export type Call =
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

/** What the thread answers to a call; the first reply of all tells whether the store is open. */
export type Reply = { readonly result: unknown } | FailedReply;

/** What the thread answers to a call that failed. */
export interface FailedReply {
  readonly error: Pick<MlogError, 'code' | 'message' | 'hint' | 'details'>;
  /** After this error the thread does nothing any more. */
  readonly fatal: boolean;
}

/** What the thread is started with. */
export interface ThreadData {
  readonly path: string;
  /** Serve the journal in the file until it is closed, or check the file and end. */
  readonly task: 'serve' | 'verify';
}

/** Entries of one page: at most so many, and so much text but for the first one. */
export interface PageRange extends ReadRange {
  readonly maxBytes?: number | undefined;
}

/** A page of entries on its way back; columns, for a clone of objects takes twice the time. */
export interface PackedEntries {
  readonly seqs: number[];
  readonly ids: string[];
  readonly txts: string[];
  /** Milliseconds since 1970. */
  readonly times: number[];
}

/** Messages on their way to the store's thread: bytes, whose ownership goes along. */
export interface PackedMessages {
  /** For each message the length of its id and of its text, in bytes. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** Ids and texts in UTF-8, one behind the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A message as the store keeps it. */
export interface StoredBytes {
  readonly id: Uint8Array;
  readonly txt: Uint8Array;
}

/**
 * What became of packed messages, on its way back: of most batches all are new, and then the first
 * number says it all.
 */
export type PackedResults =
  | { readonly firstSeq: number }
  | { readonly results: readonly Pick<Required<AppendResult>, 'seq' | 'status'>[] };

/**
 * Packs messages so that they move to another thread without being copied there, and are the bytes
 * that the store wants. A structured clone of the messages took twice the time.
 */
export function packMessages(messages: readonly Message[]): PackedMessages {
  const lengths = new Uint32Array(messages.length * 2);
  let units = 0;
  for (const { id, txt } of messages) units += id.length + txt.length;
  // Three bytes a UTF-16 unit is the most that UTF-8 takes.
  const buffer = Buffer.from(new ArrayBuffer(units * 3));
  let end = 0;
  let index = 0;
  for (const { id, txt } of messages) {
    end += lengths[index++] = buffer.write(id, end);
    end += lengths[index++] = buffer.write(txt, end);
  }
  return { lengths, bytes: new Uint8Array(buffer.buffer, 0, end) };
}

/** Gives packed messages one by one. */
export function* unpackMessages({ lengths, bytes }: PackedMessages): Generator<StoredBytes> {
  let end = 0;
  for (let index = 0; index < lengths.length; index += 2) {
    const middle = end + lengths[index]!;
    const id = bytes.subarray(end, middle);
    end = middle + lengths[index + 1]!;
    yield { id, txt: bytes.subarray(middle, end) };
  }
}

/** Gives what became of each message, in their order. */
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

/** Gives packed entries one by one. */
export function unpackEntries({ seqs, ids, txts, times }: PackedEntries): Entry[] {
  let time = Number.NaN;
  let at = '';
  return seqs.map((seq, index) => {
    // The entries of a batch have one time, and writing it out takes as long as all the rest.
    if (times[index] !== time) {
      time = times[index]!;
      at = new Date(time).toISOString();
    }
    return { seq, id: ids[index]!, txt: txts[index]!, at };
  });
}
