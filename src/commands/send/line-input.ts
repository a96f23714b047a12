import type { Readable } from 'node:stream';
import { MlogError, toMlogError } from '../../errors.ts';
import { parseJson, toMessageLine, type Fields } from '../../http/formats.ts';
import { splitBytes } from '../../http/lines.ts';
import { createId, parseMessage } from '../../message.ts';
import { openInput, toInputError } from '../input.ts';

/** A line of the input that is a message. */
export interface InputLine {
  /** The number of the line, from 1. */
  readonly line: number;
  readonly id: string;
  /** The message as a line of NDJSON. */
  readonly json: string;
  /** The size of `json` in bytes of UTF-8. */
  readonly bytes: number;
}

/** Where the lines come from, and what they are. */
export interface LineInputOptions {
  /** The file to read; stdin if missing or `-`. */
  readonly file?: string;
  /** The lines are JSON objects with `txt` and optionally `id`, rather than texts. */
  readonly ndjson?: boolean;
  /** InputLine N gets this id followed by `-N`, so that a rerun stores nothing twice. */
  readonly id?: string;
}

/** Who hears about the input, besides its reader. */
export interface LineInputEvents {
  /** Hears of a line that cannot be a message. */
  readonly refuse: (line: number, error: MlogError) => Promise<void>;
  /** Once aborted, what was read is yielded and nothing more is read. */
  readonly stopping: AbortSignal;
}

/** The longest line, and the largest text that is read as a whole. */
export const inputMaxBytes = 64 * 1024 * 1024;

/**
 * Reads messages from the input, grouped as the reads return them. LF and CRLF end a line, a byte
 * order mark at the start is skipped, and an empty line is no message. Each message has its id from
 * here on. Throws `usage` if the input cannot be read.
 */
export async function* readLines(
  { file, ndjson, id: prefix }: LineInputOptions,
  { refuse, stopping }: LineInputEvents,
): AsyncGenerator<InputLine[]> {
  let line = 0;

  function parse(text: string | undefined): InputLine {
    if (text === undefined) throw new MlogError('invalid_argument', 'It is not valid UTF-8.');
    // Such a line is truncated, so it is not the text.
    if (text.length > inputMaxBytes) throw new MlogError('too_large', 'It is too long.');
    const fields: Fields = ndjson ? parseJson(text) : { txt: text };
    const id = fields.id ?? (prefix === undefined ? createId() : `${prefix}-${line}`);
    const message = parseMessage(id, fields.txt, { txtMaxBytes: Infinity });
    const json = toMessageLine(message);
    return { line, id: message.id, json, bytes: Buffer.byteLength(json) };
  }

  const { name, stream } = await openInput(file);
  try {
    for await (const texts of splitBytes(readChunks(stream, stopping), {
      lineMaxBytes: inputMaxBytes,
    })) {
      const group: InputLine[] = [];
      for (const given of texts) {
        line += 1;
        const text = given?.endsWith('\r') ? given.slice(0, -1) : given;
        if (text === '') continue;
        try {
          group.push(parse(text));
        } catch (error) {
          await refuse(line, toMlogError(error));
        }
      }
      if (group.length > 0) yield group;
    }
  } catch (error) {
    if (!isInterruption(error)) throw toInputError(error, name);
  }
}

/** Yields what is read, and throws if a signal cuts the input off before its end. */
async function* readChunks(input: Readable, stopping: AbortSignal): AsyncGenerator<Buffer> {
  const chunks = input.iterator() as AsyncIterator<Buffer>;
  while (!stopping.aborted) {
    const next = await beforeAbort(chunks.next(), stopping);
    if (!next) break;
    if (next.done) return;
    yield next.value;
  }
  // The stream may have read ahead.
  const rest = input.read() as Buffer | null;
  if (rest) yield rest;
  throw interruption;
}

const interruption = new MlogError('cancelled', 'A signal came before the end of the input.');

function isInterruption(error: unknown): boolean {
  return error === interruption;
}

/** Waits for a value, or returns undefined once the signal is aborted. */
function beforeAbort<T>(value: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort);
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
