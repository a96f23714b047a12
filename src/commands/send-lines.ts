import { createReadStream } from 'node:fs';
import { readSettings } from '../config.ts';
import { hasErrno, MlogError, toMlogError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { mediaTypes, parseJson, splitLines, toJsonLine, type Fields } from '../http/formats.ts';
import { retry, type RetryOptions } from '../journal/retry.ts';
import { createId, parseMessage, type Message } from '../message.ts';
import { facadeError, withFacade } from './facade-client.ts';
import { printJson, remark, showProgress } from './print.ts';

/** What `mlog send --lines` may be told beside the settings. */
export interface SendLinesOptions {
  /** The file to read; stdin where there is none or it is `-`. */
  readonly file?: string;
  /** Lines are JSON objects with `txt` and perhaps `id`, not texts. */
  readonly ndjson?: boolean;
  /** The n-th line gets this id and `-n`, so that a rerun stores nothing twice. */
  readonly id?: string;
  readonly json?: boolean;
}

/** A message and the line of the input that it stands in. */
interface Line extends Message {
  readonly line: number;
}

/** One request: large enough that its overhead is nothing, small enough to be sent again. */
const groupMaxCount = 2_000;
const groupMaxLength = 512 * 1024;

/** While one request is being stored the other is on its way. */
const requestsAtOnce = 2;

const lineMaxLength = 64 * 1024 * 1024;

const outcomes = ['logged', 'duplicate', 'conflict', 'refused', 'unknown'] as const;
type Outcome = (typeof outcomes)[number];
type Counts = Record<Outcome, number>;

/**
 * Sends a message a line, in bulk. Each has its id before it is sent the first time, and a request
 * whose outcome is not known is sent again under the same ids. Throws when a line was not stored.
 */
export async function sendLines(options: SendLinesOptions): Promise<void> {
  const { attemptsMax, retryDelayMs, ...settings } = readSettings('send', { ...options });
  const counts: Counts = { logged: 0, duplicate: 0, conflict: 0, refused: 0, unknown: 0 };
  const progress = showProgress(() => toSummary(counts));

  async function tell(outcome: Outcome, fact: object): Promise<void> {
    counts[outcome] += 1;
    if (options.json) await printJson(fact);
  }

  const refuse = (line: number, error: MlogError) => {
    remark(`Line ${line} is refused: ${error.message}`);
    return tell('refused', { line, status: 'refused', error: error.message });
  };

  await withFacade({ ...settings, attemptsMax, retryDelayMs }, async (client) => {
    const groups = readGroups(options, refuse);
    const sender = async () => {
      for await (const group of groups) {
        const unknown = await sendGroup(client, group, { attemptsMax, retryDelayMs }, tell);
        for (const { line, id } of unknown) await tell('unknown', { line, id, status: 'unknown' });
      }
    };
    await Promise.all(Array.from({ length: requestsAtOnce }, sender));
  }).finally(progress.end);

  remark(toSummary(counts));
  const failure = toFailure(counts);
  if (failure) throw failure;
}

/** Sends messages until each has an outcome; gives those that have none after the last attempt. */
async function sendGroup(
  client: HttpClient,
  group: readonly Line[],
  options: RetryOptions,
  tell: (outcome: Outcome, fact: object) => Promise<void>,
): Promise<readonly Line[]> {
  let rest = group;
  async function attempt(): Promise<void> {
    const reply = await client.exchange({
      method: 'POST',
      path: '/',
      headers: { 'content-type': mediaTypes.ndjson },
      body: rest.map(({ id, txt }) => toJsonLine({ id, txt })).join(''),
    });
    if (reply.status !== 200) throw facadeError(reply, client.url);
    const answers = reply.text.split('\n');
    const unknown: Line[] = [];
    for (const [index, message] of rest.entries()) {
      const answer = (answers[index] ? JSON.parse(answers[index]) : {}) as { status?: Outcome };
      if (answer.status === undefined || answer.status === 'unknown') unknown.push(message);
      else await tell(answer.status, { ...answer, line: message.line });
    }
    rest = unknown;
    if (rest.length > 0) throw new MlogError('unavailable', 'The facade knows no outcome yet.');
  }
  try {
    await retry(attempt, options);
  } catch (error) {
    // What is refused as a whole is no matter of single lines.
    if (toMlogError(error).code !== 'outcome_unknown') throw error;
  }
  return rest;
}

/** Reads the input in groups of messages; lines that cannot be messages are refused on the way. */
async function* readGroups(
  { file, ndjson, id: prefix }: SendLinesOptions,
  refuse: (line: number, error: MlogError) => Promise<void>,
): AsyncGenerator<Line[]> {
  let line = 0;
  let group: Line[] = [];
  let length = 0;
  for await (const texts of splitLines(readText(file), lineMaxLength)) {
    for (const text of texts) {
      line += 1;
      if (text === '') continue;
      try {
        // Such a line comes cut: what there is of it is not the text.
        if (text.length > lineMaxLength) throw new MlogError('too_large', 'It is too long.');
        const fields: Fields = ndjson ? parseJson(text) : { txt: text };
        const id = fields.id ?? (prefix === undefined ? createId() : `${prefix}-${line}`);
        group.push({ line, ...parseMessage(id, fields.txt, { txtMaxBytes: Infinity }) });
      } catch (error) {
        await refuse(line, toMlogError(error));
      }
      length += text.length;
      if (group.length >= groupMaxCount || length >= groupMaxLength) {
        yield group;
        group = [];
        length = 0;
      }
    }
  }
  if (group.length > 0) yield group;
}

async function* readText(file = '-'): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    throw toInputError(error, file === '-' ? 'stdin' : file);
  }
}

function toInputError(error: unknown, name: string): MlogError {
  if (hasErrno(error, 'ENOENT', 'EACCES', 'EISDIR')) {
    return new MlogError('usage', `${name} cannot be read: ${error.message}.`, { cause: error });
  }
  if (hasErrno(error, 'ERR_ENCODING_INVALID_ENCODED_DATA')) {
    return new MlogError('invalid_argument', `${name} is not valid UTF-8.`, {
      hint: 'What was sent up to there is stored; sent again under the same ids it stays once.',
    });
  }
  return toMlogError(error);
}

function toSummary(counts: Counts): string {
  const parts = outcomes.filter((outcome) => counts[outcome] > 0 || outcome === 'logged');
  return parts.map((outcome) => `${counts[outcome]} ${outcome}`).join(', ');
}

function toFailure({ conflict, refused, unknown }: Counts): MlogError | undefined {
  if (unknown > 0) {
    return new MlogError('outcome_unknown', `The outcome of ${unknown} lines is unknown.`, {
      hint: 'Sent again under the same ids (--id, or ids in the lines) they are stored once.',
    });
  }
  if (conflict > 0) {
    return new MlogError('conflict', `${conflict} lines have an id that has another text.`);
  }
  if (refused > 0) return new MlogError('invalid_argument', `${refused} lines were refused.`);
  return undefined;
}
