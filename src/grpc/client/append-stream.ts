import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import { asOutage, asUnsent, MlogError, parseCode, toMlogError } from '../../errors.ts';
import type { AppendResult } from '../../journal/journal.ts';
import { noReplyError, unexpectedReplyError } from '../../journal/remote/remote-errors.ts';
import type { Message } from '../../message.ts';
import { decodeAppendReply, encodeAppendRequest, type AppendReply } from '../append-messages.ts';
import { readReply, type GrpcClient } from './client.ts';
import { codeOf, isExhausted, isUnread, statusError } from '../status.ts';

/** Appends groups of messages over one stream, which stays open for as long as possible. */
export interface Appender {
  /** Appends a group. Gives up after the time limit of one call. */
  append(messages: readonly Message[]): Promise<AppendResult[]>;
  close(): void;
}

/** Returns an appender. It opens a stream when no open one has room for another group. */
export function createAppender(client: GrpcClient): Appender {
  const streams = new Set<AppendStream>();

  function openStream(): AppendStream {
    const stream = new AppendStream(client, () => streams.delete(stream));
    streams.add(stream);
    return stream;
  }

  /** Returns an open stream with room, or opens another. */
  function findStream(): AppendStream {
    for (const stream of streams) if (stream.hasRoom) return stream;
    return openStream();
  }

  async function appendAlone(
    messages: readonly Message[],
    deadline: number,
  ): Promise<AppendResult[]> {
    const stream = openStream();
    const appended = stream.append(messages, deadline);
    stream.retire();
    try {
      return await appended;
    } catch (error) {
      throw stream.status && isUnread(stream.status) ? unreadError(client.url) : error;
    } finally {
      stream.cancel();
    }
  }

  async function append(
    messages: readonly Message[],
    deadline = performance.now() + client.timeoutMs,
  ): Promise<AppendResult[]> {
    const stream = findStream();
    try {
      return await stream.append(messages, deadline);
    } catch (error) {
      // The service ended the whole stream over one message that grpc-js found too large, and
      // nothing tells which one. Sent one by one, that message is refused and the others are
      // stored.
      if (stream.status && isExhausted(stream.status)) return await appendAlone(messages, deadline);
      // The first group of a stream counts as sent, so each stream leaves at least one group less.
      const isOver = performance.now() >= deadline || stream.isCancelled;
      if (isOver || !toMlogError(error).isUnsent) throw error;
      return await append(messages, deadline);
    }
  }

  return {
    append: (messages) => append(messages),
    close() {
      for (const stream of streams) stream.cancel();
    },
  };
}

/** The groups that an mlog service answers at a time on one stream. Further groups wait. */
const groupsMax = 16;

/** The number of a group is a uint32. */
const groupNumberMax = 2 ** 32 - 1;

interface Waiting {
  readonly messages: readonly Message[];
  readonly timer: NodeJS.Timeout;
  readonly resolve: (results: AppendResult[]) => void;
  readonly reject: (error: MlogError) => void;
}

/** One stream, with the groups on it that have no reply. */
class AppendStream {
  /** The status with which the service, or grpc-js, ended it. */
  status: StatusObject | undefined;
  isCancelled = false;
  readonly #client: GrpcClient;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #onEnd: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #isOpen = true;
  #isRetired = false;
  #lastGroup = 0;
  /** The number of the last group written; groups are written one after the other. */
  #lastWritten = 0;

  constructor(client: GrpcClient, onEnd: () => void) {
    this.#client = client;
    this.#onEnd = onEnd;
    this.#call = client.open('/LoggingService/Append');
    this.#call.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#call.on('status', (status: StatusObject) => {
      this.status = status;
      this.#end(endError(status, client.url));
    });
    // The status tells the same.
    this.#call.on('error', () => {});
  }

  /** Says whether the stream takes another group, and no earlier one delays it. */
  get hasRoom(): boolean {
    return this.#isOpen && !this.#isRetired && this.#waiting.size < groupsMax;
  }

  append(messages: readonly Message[], deadline: number): Promise<AppendResult[]> {
    return new Promise((resolve, reject) => {
      this.#lastGroup += 1;
      const group = this.#lastGroup;
      if (group === groupNumberMax) this.#isRetired = true;
      const timer = setTimeout(() => this.#giveUp(group), deadline - performance.now());
      this.#waiting.set(group, { messages, timer, resolve, reject });
      this.#call.write(encodeAppendRequest({ group, messages }), () => {
        if (this.#isOpen) this.#lastWritten = group;
      });
    });
  }

  /** Takes no further group. The stream ends after its last reply. */
  retire(): void {
    this.#isRetired = true;
  }

  cancel(): void {
    this.isCancelled = true;
    this.#end(new MlogError('closed', 'The journal is closed.'));
  }

  #take(bytes: Buffer): void {
    const { url } = this.#client;
    try {
      const reply = readReply(decodeAppendReply, bytes, url);
      const waiting = this.#waiting.get(reply.group);
      // A reply may arrive after its group was given up.
      if (!waiting && this.#isRetired && reply.group <= this.#lastGroup) return;
      if (!waiting || !isWhole(reply, waiting.messages.length)) throw unexpectedReplyError(url);
      this.#waiting.delete(reply.group);
      settle(waiting, reply, url);
      if (this.#isRetired && this.#waiting.size === 0) this.#end(noReplyError(url));
    } catch (error) {
      this.#end(toMlogError(error));
    }
  }

  /** Fails one group. The stream takes no others and waits for the replies it is owed. */
  #giveUp(group: number): void {
    const { reject } = this.#waiting.get(group)!;
    this.#waiting.delete(group);
    this.#isRetired = true;
    reject(this.#errorOf(group, noReplyError(this.#client.url)));
    if (this.#waiting.size === 0) this.#end(noReplyError(this.#client.url));
  }

  #end(error: MlogError): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#call.cancel();
    this.#onEnd();
    for (const [group, { timer, reject }] of this.#waiting) {
      clearTimeout(timer);
      reject(this.#errorOf(group, error));
    }
    this.#waiting.clear();
  }

  /** The group after the last one written may be on its way; those after it are not. */
  #errorOf(group: number, error: MlogError): MlogError {
    return group > this.#lastWritten + 1 ? asUnsent(error) : error;
  }
}

/** Says whether a reply has a result for each message, in order. */
function isWhole({ results, error }: AppendReply, count: number): boolean {
  if (error) return true;
  return results.length === count && results.every(({ seq }) => seq !== undefined && seq > 0);
}

function settle(waiting: Waiting, { results, error }: AppendReply, url: string): void {
  const { messages, timer, resolve, reject } = waiting;
  clearTimeout(timer);
  if (!error) return resolve(messages.map(({ id }, index) => ({ id, ...results[index]! })));
  const code = parseCode(error.code) ?? codeOf(error.status);
  reject(asOutage(new MlogError(code, `The service at ${url} answered: ${error.message}`)));
}

/** The end of a stream tells nothing about the outcome of a group, so it is never a refusal. */
function endError(status: StatusObject, url: string): MlogError {
  const error = statusError(status, url);
  if (error.retryable) return error;
  const isUnexpected = error.code === 'unimplemented';
  return new MlogError('unavailable', error.message, { isUnexpected, cause: error });
}

function unreadError(url: string): MlogError {
  return new MlogError('too_large', `The service at ${url} accepts no message of that size.`, {
    hint: 'Send less at a time, or raise --append-max-bytes of the service.',
  });
}
