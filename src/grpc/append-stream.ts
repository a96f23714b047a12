import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import { isCode, MlogError, toMlogError } from '../errors.ts';
import type { AppendResult } from '../journal/journal.ts';
import { silentError } from '../journal/no-answer.ts';
import type { Message } from '../message.ts';
import { decodeAppendReply, encodeAppendRequest, type AppendReply } from './append-messages.ts';
import { readReply, strangeError, type GrpcClient } from './client.ts';
import { codeOf, isExhausted, isUnread, statusError } from './status.ts';

/** Appends groups of messages over one stream that stays open as long as it can. */
export interface Appender {
  /** Appends a group; gives up after the time that one call may take. */
  append(messages: readonly Message[]): Promise<AppendResult[]>;
  close(): void;
}

/** Makes an appender, which opens its stream when there is something to append. */
export function createAppender(client: GrpcClient): Appender {
  let current: AppendStream | undefined;

  async function appendAlone(
    messages: readonly Message[],
    deadline: number,
  ): Promise<AppendResult[]> {
    const stream = new AppendStream(client);
    try {
      return await stream.append(messages, deadline);
    } catch (error) {
      throw stream.status && isUnread(stream.status) ? unreadError(client.url) : error;
    } finally {
      stream.cancel();
    }
  }

  return {
    async append(messages) {
      const deadline = Date.now() + client.timeoutMs;
      if (!current?.isOpen) current = new AppendStream(client);
      const stream = current;
      try {
        return await stream.append(messages, deadline);
      } catch (error) {
        // A message larger than grpc-js takes at the other end has ended all that is on the stream,
        // and nothing says which one it was. Each alone, that one is refused and all others are kept.
        if (!stream.status || !isExhausted(stream.status)) throw error;
        return await appendAlone(messages, deadline);
      }
    },
    close: () => current?.cancel(),
  };
}

interface Waiting {
  readonly messages: readonly Message[];
  readonly timer: NodeJS.Timeout;
  readonly resolve: (results: AppendResult[]) => void;
  readonly reject: (error: MlogError) => void;
}

/** One stream, and the groups on it that have no answer yet. */
class AppendStream {
  isOpen = true;
  /** What the other end, or grpc-js, ended it with. */
  status: StatusObject | undefined;
  readonly #client: GrpcClient;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #waiting = new Map<number, Waiting>();
  #lastGroup = 0;

  constructor(client: GrpcClient) {
    this.#client = client;
    this.#call = client.open('/LoggingService/Append');
    this.#call.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#call.on('status', (status: StatusObject) => {
      this.status = status;
      this.#end(endError(status, client.url));
    });
    // The status tells it, too.
    this.#call.on('error', () => {});
  }

  append(messages: readonly Message[], deadline: number): Promise<AppendResult[]> {
    return new Promise((resolve, reject) => {
      this.#lastGroup = (this.#lastGroup + 1) >>> 0;
      const group = this.#lastGroup;
      // Who waits behind it may have the stream to blame, so it is opened anew.
      const timer = setTimeout(
        () => this.#end(silentError(this.#client.url)),
        deadline - Date.now(),
      );
      this.#waiting.set(group, { messages, timer, resolve, reject });
      this.#call.write(encodeAppendRequest({ group, messages }));
    });
  }

  cancel(): void {
    this.#end(new MlogError('closed', 'The journal is closed.'));
  }

  #take(bytes: Buffer): void {
    const { url } = this.#client;
    try {
      const reply = readReply(decodeAppendReply, bytes, url);
      const waiting = this.#waiting.get(reply.group);
      if (!waiting || !isWhole(reply, waiting.messages.length)) throw strangeError(url);
      this.#waiting.delete(reply.group);
      settle(waiting, reply, url);
    } catch (error) {
      this.#end(toMlogError(error));
    }
  }

  #end(error: MlogError): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#call.cancel();
    for (const { timer, reject } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
  }
}

/** Says whether a reply has a result for each message, in their order. */
function isWhole({ results, error }: AppendReply, count: number): boolean {
  if (error) return true;
  return results.length === count && results.every(({ seq }) => seq !== undefined && seq > 0);
}

function settle(waiting: Waiting, { results, error }: AppendReply, url: string): void {
  const { messages, timer, resolve, reject } = waiting;
  clearTimeout(timer);
  if (!error) return resolve(messages.map(({ id }, index) => ({ id, ...results[index]! })));
  const code = isCode(error.code) ? error.code : codeOf(error.status);
  reject(new MlogError(code, `The service at ${url} answered: ${error.message}`));
}

/** What ended the stream says nothing of what became of a group, so it is never a refusal of it. */
function endError(status: StatusObject, url: string): MlogError {
  const error = statusError(status, url);
  return error.retryable ? error : new MlogError('unavailable', error.message, { cause: error });
}

function unreadError(url: string): MlogError {
  return new MlogError('too_large', `The service at ${url} takes no message of that size.`, {
    hint: 'Send less at a time, or raise --append-max-bytes of the service.',
  });
}
