import { createReadStream } from 'node:fs';
import { readSettings } from '../config.ts';
import { hasErrno, MlogError, toMlogError } from '../errors.ts';
import { parseJson, type Fields } from '../http/formats.ts';
import { splitLines } from '../http/lines.ts';
import { createId, parseMessage } from '../message.ts';
import { withFacade } from './facade-client.ts';
import { lineMaxLength, LineSender, outcomes, type Line, type Outcome } from './line-sender.ts';
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

/** What goes out at once. */
const groupMaxCount = 1_000;
const groupMaxLength = 256 * 1024;

type Counts = Record<Outcome, number>;

/**
 * Sends a message a line, in bulk and in order. Each has its id before it is sent the first time,
 * and what got no answer is sent again under the same ids. Throws when a line was not stored.
 */
export async function sendLines(options: SendLinesOptions): Promise<void> {
  const settings = readSettings('send', { ...options });
  const counts: Counts = { logged: 0, duplicate: 0, conflict: 0, refused: 0, unknown: 0 };
  const progress = showProgress(() => toSummary(counts));

  function tell(outcome: Outcome, fact: object): Promise<unknown> | undefined {
    counts[outcome] += 1;
    return options.json ? printJson(fact) : undefined;
  }

  const refuse = async (line: number, error: MlogError) => {
    remark(`Line ${line} is refused: ${error.message}`);
    await tell('refused', { line, status: 'refused', error: error.message });
  };

  await withFacade(settings, async (client) => {
    const sender = new LineSender(client, readGroups(options, refuse), tell);
    const lost = await sender.sendAll(settings);
    for (const { line, id } of sender.unanswered) {
      await tell('unknown', { line, id, status: 'unknown' });
    }
    if (lost && counts.unknown === 0) throw lost;
  }).finally(progress.end);

  remark(toSummary(counts));
  const failure = toFailure(counts);
  if (failure) throw failure;
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
      hint:
        'Lines behind them were not sent. Sent again under the same ids (--id, or ids in the ' +
        'lines) all are stored once.',
    });
  }
  if (conflict > 0) {
    return new MlogError('conflict', `${conflict} lines have an id that has another text.`);
  }
  if (refused > 0) return new MlogError('invalid_argument', `${refused} lines were refused.`);
  return undefined;
}
