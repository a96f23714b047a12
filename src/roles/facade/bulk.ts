import { MlogError, toMlogError } from '../../errors.ts';
import { parseJson, toJsonLine, toResultLine } from '../../http/formats.ts';
import { byteCount, type Message } from '../../message.ts';
import type { FacadeService } from './service.ts';

/** How a stream of messages is cut into appends. */
export interface BulkLimits {
  readonly batchMaxCount: number;
  readonly batchMaxBytes: number;
  readonly lineMaxLength: number;
  /**
   * After a message with an unknown outcome, nothing is sent and the rest is answered `unknown`.
   */
  readonly isOrderStrict: boolean;
}

/** A line to send, or the answer to a refused one. */
type BulkLine = { readonly line: number } & (
  { readonly message: Message } | { readonly answer: string }
);

/**
 * Sends a stream of NDJSON lines and yields an answer per line, in order: the outcome of its
 * message, that it was refused, or that its outcome is unknown. A bad line does not stop the
 * others. The lines are stored in order, and memory stays bounded: while one group is in flight,
 * the next one is made of the lines that arrive. Measured with lines of 60 bytes against groups
 * that are made and sent in turn: 1.13 times the messages in one process, 1.04 through two.
 */
export async function* sendLines(
  lines: AsyncIterable<readonly (string | undefined)[]>,
  service: FacadeService,
  limits: BulkLimits,
  /** Updated to the last line that was answered. */
  answered: { line: number } = { line: 0 },
): AsyncGenerator<string> {
  const groups = groupLines(lines, service, limits);
  const sender = new GroupSender(service, limits);
  let next = groups.next();
  try {
    for (let found = await next; !found.done; found = await next) {
      const answering = sender.send(found.value);
      // In a later turn, so that the group is on its way before the next one takes this thread.
      next = new Promise<void>((resolve) => setImmediate(resolve)).then(() => groups.next());
      // Reported when it is awaited.
      next.catch(() => {});
      const answers = await answering;
      answered.line = found.value.at(-1)!.line;
      yield answers;
    }
  } finally {
    groups.return(undefined).catch(() => {});
  }
}

/**
 * Cuts lines into groups. An incomplete group goes on when no more lines are ready, since the
 * sender may be waiting for answers, and when the lines were cut off.
 */
async function* groupLines(
  lines: AsyncIterable<readonly (string | undefined)[]>,
  service: FacadeService,
  limits: BulkLimits,
): AsyncGenerator<BulkLine[], void> {
  const source = lines[Symbol.asyncIterator]();
  let number = 0;
  let group: BulkLine[] = [];
  let bytes = 0;

  function take(): BulkLine[] {
    const taken = group;
    group = [];
    bytes = 0;
    return taken;
  }

  try {
    for (;;) {
      const next = source.next();
      if (group.length > 0 && !(await isThereAtOnce(next))) yield take();
      let found: Awaited<typeof next>;
      try {
        found = await next;
      } catch (error) {
        if (group.length > 0) yield take();
        throw error;
      }
      const { value: some, done } = found;
      if (done) break;
      for (const text of some) {
        number += 1;
        if (text?.trim() === '') continue;
        const line = parseLine(text, number, service, limits);
        group.push(line);
        if ('message' in line) bytes += byteCount([line.message]);
        if (group.length >= limits.batchMaxCount || bytes >= limits.batchMaxBytes) yield take();
      }
    }
    if (group.length > 0) yield group;
  } finally {
    await source.return?.();
  }
}

/** Says whether a promise settles within this turn of the event loop. */
function isThereAtOnce(next: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const tell = () => resolve(true);
    next.then(tell, tell);
    setImmediate(() => resolve(false));
  });
}

function parseLine(
  text: string | undefined,
  line: number,
  service: FacadeService,
  { lineMaxLength }: BulkLimits,
): BulkLine {
  try {
    if (text === undefined) throw new MlogError('invalid_argument', 'The line is not valid UTF-8.');
    if (text.length > lineMaxLength) throw new MlogError('too_large', 'The line is too long.');
    return { line, message: service.parse(parseJson(text)) };
  } catch (error) {
    return { line, answer: refusedLine(line, error) };
  }
}

type SentLine = Extract<BulkLine, { message: Message }>;

/** Sends the groups of one request, one after the other. */
class GroupSender {
  readonly #service: FacadeService;
  readonly #isOrderStrict: boolean;
  #isHeld = false;

  constructor(service: FacadeService, { isOrderStrict }: BulkLimits) {
    this.#service = service;
    this.#isOrderStrict = isOrderStrict;
  }

  async send(group: readonly BulkLine[]): Promise<string> {
    const sent = group.filter((line) => 'message' in line);
    const answers = sent.length > 0 ? await this.#sendMessages(sent) : [];
    const next = answers.values();
    return group.map((line) => ('answer' in line ? line.answer : next.next().value)).join('');
  }

  async #sendMessages(lines: readonly SentLine[]): Promise<string[]> {
    if (this.#isHeld) return lines.map(unknownLine);
    try {
      const results = await this.#service.sendAll(lines.map(({ message }) => message));
      return results.map(toResultLine);
    } catch (thrown) {
      const error = toMlogError(thrown);
      const isRefusal = error.code === 'invalid_argument' || error.code === 'too_large';
      if (isRefusal && lines.length > 1) {
        // One of the messages was refused. Sent alone, each gets its own answer.
        const answers: string[] = [];
        for (const line of lines) answers.push(...(await this.#sendMessages([line])));
        return answers;
      }
      this.#isHeld ||= this.#isOrderStrict && !isRefusal;
      return isRefusal ? lines.map(({ line }) => refusedLine(line, error)) : lines.map(unknownLine);
    }
  }
}

function unknownLine({ line, message: { id } }: SentLine): string {
  return toJsonLine({ line, id, status: 'unknown' });
}

/** Returns the answer, from a line on, for a client that does not read its answers. */
export function unreadLine(line: number): string {
  const error =
    'This line and those behind it were not taken, because the answers were not read. Read them ' +
    'while you send, or send fewer lines in a request.';
  return toJsonLine({ line, status: 'refused', error });
}

function refusedLine(line: number, error: unknown): string {
  return toJsonLine({ line, status: 'refused', error: toMlogError(error).message });
}
