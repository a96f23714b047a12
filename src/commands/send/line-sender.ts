import { setTimeout as sleep } from 'node:timers/promises';
import { MlogError, toMlogError } from '../../errors.ts';
import { readFailure, type HttpClient } from '../../http/client/client.ts';
import { mediaTypes } from '../../http/formats.ts';
import { splitLines } from '../../http/lines.ts';
import { orderHeader } from '../../http/order.ts';
import { isNotListeningError } from '../../journal/remote/remote-errors.ts';
import { createNotice } from '../../journal/notice.ts';
import type { RetryOptions } from '../../journal/wrap/retry.ts';
import { facadeError, notFacadeError } from '../facade-error.ts';
import { outcomes, parseAnswer, type Answer, type Outcome } from './answer.ts';
import type { InputLine } from './line-input.ts';
import { remark } from '../print.ts';
import { requestMaxBytes, RequestSize } from './request-size.ts';

/** Hears the outcome of a line. */
export type OnOutcome = (outcome: Outcome, fact: object) => Promise<unknown> | undefined;

/** How much is read ahead while a request is in flight. */
const aheadMaxBytes = requestMaxBytes;

/** The reply to a line holds its id and its error, but not its text. */
const answerMaxLength = 64 * 1024;

const never = new AbortController().signal;

/**
 * Sends lines in order. What arrives during one request makes up the next, so nothing waits for
 * more input, and no request is open while there is nothing to send. A request is complete before
 * it is sent, and its replies are read whole, which works through any proxy. The next request
 * starts once the outcome of every line before it is known.
 */
export class LineSender {
  readonly #client: HttpClient;
  readonly #groups: AsyncIterable<InputLine[]>;
  readonly #tell: OnOutcome;
  readonly #retrying: RetryOptions;
  readonly #news = createNotice();
  readonly #room = createNotice();
  readonly #size = new RequestSize();
  #waiting: InputLine[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #untold: unknown;

  constructor(
    client: HttpClient,
    groups: AsyncIterable<InputLine[]>,
    { tell, ...retrying }: RetryOptions & { readonly tell: OnOutcome },
  ) {
    this.#client = client;
    this.#groups = groups;
    this.#tell = tell;
    this.#retrying = retrying;
  }

  /**
   * Sends all lines. Throws when it gives up, naming the first line that is not stored, or the
   * lines that may be, each of which it has reported as `unknown`. Nothing after them was sent.
   */
  async sendAll(): Promise<void> {
    const reading = this.#read();
    // Reported at the end, after everything read before is sent.
    reading.catch(() => {});
    for (let lines = await this.#next(); lines.length > 0; lines = await this.#next()) {
      await this.#settle(lines);
    }
    await reading;
  }

  async #read(): Promise<void> {
    try {
      for await (const group of this.#groups) {
        this.#waiting = this.#waiting.length > 0 ? this.#waiting.concat(group) : group;
        for (const { bytes } of group) this.#waitingBytes += bytes;
        this.#news.give();
        while (this.#waitingBytes > aheadMaxBytes) {
          await this.#room.wait(this.#room.count, never);
        }
      }
    } finally {
      this.#isEnded = true;
      this.#news.give();
    }
  }

  /** Waits for lines and returns as many as fit into one request; none at the end of the input. */
  async #next(): Promise<readonly InputLine[]> {
    while (this.#waiting.length === 0 && !this.#isEnded) {
      await this.#news.wait(this.#news.count, never);
    }
    const lines = this.#size.take(this.#waiting);
    this.#waiting = this.#waiting.slice(lines.length);
    for (const { bytes } of lines) this.#waitingBytes -= bytes;
    this.#room.give();
    return lines;
  }

  /** Sends lines until the outcome of each is known, or the attempts are used up. */
  async #settle(lines: readonly InputLine[]): Promise<void> {
    const { attemptsMax, retryDelayMs } = this.#retrying;
    let left = lines;
    let mayBeStored = false;
    for (let failures = 0; left.length > 0;) {
      if (failures > 0) await sleep(retryDelayMs);
      const part = this.#size.take(left);
      const sentAt = performance.now();
      const { unsettled, error } = await this.#sendOnce(part);
      left = [...unsettled, ...left.slice(part.length)];
      if (!error) {
        this.#size.noteAnswered(part, performance.now() - sentAt);
        continue;
      }
      if (error.code === 'too_large') {
        left = await this.#makeSmaller(left, part, error);
        continue;
      }
      failures = unsettled.length < part.length ? 1 : failures + 1;
      mayBeStored ||= !isNotListeningError(error) && !isRefusal(error);
      if (!error.retryable || failures >= attemptsMax) {
        throw mayBeStored ? await this.#giveUp(left, error) : notStoredError(left, error);
      }
      const hint = failures === 1 && isNotListeningError(error) ? ` ${error.hint}` : '';
      remark(`${error.message}${hint} Sending again.`);
    }
  }

  /**
   * Something on the way to the facade accepts only smaller requests. If this one was a single
   * line, that line is refused.
   */
  async #makeSmaller(
    left: readonly InputLine[],
    part: readonly InputLine[],
    error: MlogError,
  ): Promise<readonly InputLine[]> {
    if (part.length > 1) {
      this.#size.noteTooLarge(part);
      return left;
    }
    const { line, id } = left[0]!;
    await this.#tell('refused', { line, id, status: 'refused', error: error.message });
    return left.slice(1);
  }

  async #giveUp(lines: readonly InputLine[], error: MlogError): Promise<MlogError> {
    for (const { line, id } of lines) await this.#tell('unknown', { line, id, status: 'unknown' });
    const [first, last] = [lines[0]!.line, lines.at(-1)!.line];
    const which =
      lines.length === 1
        ? `line ${first}`
        : `${lines.length} lines, from line ${first} to line ${last},`;
    const what = `The outcome of ${which} is unknown; nothing after line ${last} was sent.`;
    return new MlogError('outcome_unknown', `${error.message} ${what}`, {
      hint: 'Send them again with the same ids (--id, or ids in the lines): each is stored once.',
      cause: error,
    });
  }

  /** Sends lines in one request. Returns those without an outcome, and the reason. */
  async #sendOnce(
    lines: readonly InputLine[],
  ): Promise<{ unsettled: readonly InputLine[]; error?: MlogError }> {
    const unknown: InputLine[] = [];
    let answered = 0;
    try {
      const stream = await this.#client.stream({
        method: 'POST',
        path: '/',
        headers: { 'content-type': mediaTypes.ndjson, [orderHeader]: 'strict' },
        body: Buffer.from(lines.map(({ json }) => json).join('')),
      });
      if (stream.status !== 200) throw await facadeError(await readFailure(stream), this.#client);
      if (!stream.header('content-type').startsWith(mediaTypes.ndjson)) {
        stream.cancel();
        throw notFacadeError(this.#client.url);
      }
      for await (const texts of splitLines(stream.chunks, answerMaxLength)) {
        const answers = texts.map(parseAnswer);
        const asked = lines.slice(answered, answered + answers.length);
        this.#check(answers, asked);
        for (const [index, line] of asked.entries()) {
          answered += 1;
          const answer = answers[index]!;
          if (answer.status === 'unknown') unknown.push(line);
          else {
            const telling = this.#tell(answer.status, { ...answer, line: line.line });
            if (telling) await telling.catch((error: unknown) => this.#noteUntold(error));
          }
        }
      }
    } catch (thrown) {
      // The facade has answered; stdout is what fails.
      if (thrown === this.#untold) throw thrown;
      return { unsettled: [...unknown, ...lines.slice(answered)], error: toMlogError(thrown) };
    }
    const unsettled = [...unknown, ...lines.slice(answered)];
    if (unsettled.length === 0) return { unsettled };
    const error = new MlogError(
      'unavailable',
      'The facade does not know yet whether the lines are stored.',
    );
    return { unsettled, error };
  }

  #noteUntold(error: unknown): never {
    this.#untold = error;
    throw error;
  }

  /** Accepts answers only if each is well-formed and belongs to a line that was sent. */
  #check(
    answers: readonly Partial<Answer>[],
    lines: readonly InputLine[],
  ): asserts answers is Answer[] {
    const fits = answers.every(
      ({ status, id }, index) =>
        outcomes.includes(status!) && (id === undefined || id === lines[index]?.id),
    );
    if (fits && answers.length === lines.length) return;
    throw notFacadeError(this.#client.url);
  }
}

/** Says whether a whole request was refused, so that nothing of it is stored. */
function isRefusal({ httpStatus, retryable }: MlogError): boolean {
  return httpStatus >= 400 && httpStatus < 500 && !retryable;
}

function notStoredError([first]: readonly InputLine[], error: MlogError): MlogError {
  const { code, message, hint, cause } = error;
  const what = `Line ${first!.line} and those after it were not stored.`;
  return new MlogError(code, `${message} ${what}`, { hint, cause });
}
