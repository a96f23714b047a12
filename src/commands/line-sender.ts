import { setTimeout as sleep } from 'node:timers/promises';
import { MlogError, toMlogError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { mediaTypes, toMessageLine } from '../http/formats.ts';
import { splitLines } from '../http/lines.ts';
import { createNotice } from '../journal/notice.ts';
import type { RetryOptions } from '../journal/retry.ts';
import type { Message } from '../message.ts';
import { facadeError } from './facade-error.ts';
import { remark } from './print.ts';

/** A message and the line of the input that it stands in. */
export interface Line extends Message {
  readonly line: number;
}

/** What may become of a line. */
export const outcomes = ['logged', 'duplicate', 'conflict', 'refused', 'unknown'] as const;

/** What became of a line. */
export type Outcome = (typeof outcomes)[number];

/** Hears what became of a line. */
export type Tell = (outcome: Outcome, fact: object) => Promise<unknown> | undefined;

/** How many lines may be out without an answer. */
const unansweredMaxCount = 10_000;

/** No line is longer, nor any answer to one. */
export const lineMaxLength = 64 * 1024 * 1024;

/**
 * Sends groups of lines in one request, whose answers come while it is still written: so they are
 * stored in their order. When it breaks off, another one begins with the first line that got no
 * answer.
 */
export class LineSender {
  readonly #client: HttpClient;
  readonly #groups: AsyncIterator<Line[]>;
  readonly #tell: Tell;
  readonly #answered = createNotice();
  #unanswered: Line[] = [];
  #next: Promise<IteratorResult<Line[]>> | undefined;

  constructor(client: HttpClient, groups: AsyncGenerator<Line[]>, tell: Tell) {
    this.#client = client;
    this.#groups = groups;
    this.#tell = tell;
  }

  /** What is out without an answer, in order. */
  get unanswered(): readonly Line[] {
    return this.#unanswered;
  }

  /** Sends all groups, or gives the error after which nothing more was sent. */
  async sendAll({ attemptsMax, retryDelayMs }: RetryOptions): Promise<MlogError | undefined> {
    let lost: MlogError | undefined;
    for (let failures = 0; failures < attemptsMax;) {
      const before = this.#answered.count;
      if (failures > 0) await sleep(retryDelayMs);
      try {
        await this.#sendOnce();
        return undefined;
      } catch (thrown) {
        lost = toMlogError(thrown);
        if (!lost.retryable) throw lost;
        failures = this.#answered.count > before ? 1 : failures + 1;
        if (failures < attemptsMax) remark(`${lost.message} Sending again.`);
      }
    }
    return lost;
  }

  async #sendOnce(): Promise<void> {
    const over = new AbortController();
    const unknown: Line[] = [];
    try {
      const stream = await this.#client.stream({
        method: 'POST',
        path: '/',
        headers: { 'content-type': mediaTypes.ndjson },
        body: this.#body(over.signal),
      });
      if (stream.status !== 200) {
        let text = '';
        for await (const chunk of stream.chunks) text += chunk;
        throw facadeError({ ...stream, text }, this.#client.url);
      }
      for await (const answers of splitLines(stream.chunks, lineMaxLength)) {
        await this.#take(answers.map(parseAnswer), unknown);
        this.#answered.give();
      }
    } finally {
      over.abort();
      this.#unanswered = [...unknown, ...this.#unanswered];
    }
    if (this.#unanswered.length > 0) {
      throw new MlogError('unavailable', 'The facade knows no outcome yet.');
    }
  }

  /** Takes the answers to the first lines that have none. */
  async #take(answers: readonly Partial<Answer>[], unknown: Line[]): Promise<void> {
    const isStrange = answers.some(({ status }) => !outcomes.includes(status!));
    if (isStrange || answers.length > this.#unanswered.length) {
      const error = `What answers at ${this.#client.url} is no facade.`;
      throw new MlogError('failed_precondition', error);
    }
    const lines = this.#unanswered.splice(0, answers.length);
    for (const [index, answer] of (answers as readonly Answer[]).entries()) {
      const line = lines[index]!;
      if (answer.status === 'unknown') unknown.push(line);
      else {
        const telling = this.#tell(answer.status, { ...answer, line: line.line });
        if (telling) await telling;
      }
    }
  }

  async *#body(over: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.#unanswered.length > 0) yield encodeLines(this.#unanswered);
    for (;;) {
      const seen = this.#answered.count;
      if (this.#unanswered.length >= unansweredMaxCount) {
        await this.#answered.wait(seen, over);
      } else {
        // Read once, whichever request it goes out with.
        this.#next ??= this.#groups.next();
        const { value: group, done } = await this.#next;
        if (over.aborted || done) return;
        this.#next = undefined;
        this.#unanswered.push(...group);
        yield encodeLines(group);
      }
      if (over.aborted) return;
    }
  }
}

interface Answer {
  readonly status: Outcome;
}

function parseAnswer(text: string): Partial<Answer> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<Answer>;
  } catch {
    return {};
  }
}

function encodeLines(lines: readonly Line[]): Uint8Array {
  return Buffer.from(lines.map(toMessageLine).join(''));
}
