import { isUtf8 } from 'node:buffer';
import { MlogError } from '../errors.ts';
import { cutPage } from '../journal/cut.ts';
import { toJsonString } from '../journal/texts.ts';
import type { AppendResult } from '../journal/journal.ts';
import type { Entry, Message } from '../message.ts';
import { checkNames, repeatedError } from './field-names.ts';

/** The media types that mlog speaks. */
export const mediaTypes = {
  form: 'application/x-www-form-urlencoded',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  events: 'text/event-stream',
  problem: 'application/problem+json',
  text: 'text/plain',
} as const;

/** The fields of a message as a client sent them. `message.ts` decides what is valid. */
export interface Fields {
  readonly id?: unknown;
  readonly txt?: unknown;
}

/** Decodes bytes as UTF-8. Throws `invalid_argument`; text is never repaired. */
export function decodeText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new MlogError('invalid_argument', 'The body is not valid UTF-8.');
  return bytes.toString();
}

/**
 * Parses `id` and `txt` of a form (application/x-www-form-urlencoded) and ignores other fields.
 * Throws `invalid_argument` for a malformed escape, invalid UTF-8, or a repeated field.
 */
export function parseForm(bytes: Buffer): Fields {
  const text = decodeText(bytes);
  return parsePlainForm(text) ?? parseAnyForm(text);
}

/**
 * Parses the usual form: `txt`, optionally after `id`, nothing escaped. Returns undefined for any
 * other form. Measured: 0.3 µs per message, where the general parser takes 0.7 µs.
 */
export function parsePlainForm(text: string): Fields | undefined {
  const [, id, txt] = /^(?:id=([^&%+]*)&)?txt=([^&%+]*)$/.exec(text) ?? [];
  if (txt === undefined) return undefined;
  return id === undefined ? { txt } : { id, txt };
}

/** Parses any form. */
export function parseAnyForm(text: string): Fields {
  const fields: { id?: string; txt?: string } = {};
  for (const [name, value] of parsePairs(text)) {
    if (name !== 'id' && name !== 'txt') continue;
    if (fields[name] !== undefined) throw repeatedError(name);
    fields[name] = value;
  }
  return fields;
}

/** Parses the pairs of a form or a query. Throws `invalid_argument` for a malformed escape. */
export function* parsePairs(text: string): Generator<[name: string, value: string]> {
  if (text === '') return;
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const name = unescapeForm(equals < 0 ? pair : pair.slice(0, equals));
    yield [name, equals < 0 ? '' : unescapeForm(pair.slice(equals + 1))];
  }
}

const notUtf8Text = 'The percent escapes are not valid UTF-8.';

function unescapeForm(text: string): string {
  if (!/[+%]/.test(text)) return text;
  try {
    return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text);
  } catch {
    const isMalformed = /%(?![\da-f]{2})/i.test(text);
    const what = isMalformed ? 'There is a malformed percent escape.' : notUtf8Text;
    throw new MlogError('invalid_argument', what, {
      hint: 'Write a percent sign as %25, as `curl --data-urlencode "txt=…"` does.',
    });
  }
}

/** Parses the fields of a message from a JSON object. Throws `invalid_argument`. */
export function parseJson(text: string): Fields {
  return parsePlainJson(text) ?? parseAnyJson(text);
}

/**
 * Parses the usual object: `txt`, optionally after `id`, without spaces and escapes. Returns
 * undefined for any other object. Measured: 0.3 µs per message, where the general parser takes 1.2
 * µs.
 */
export function parsePlainJson(text: string): Fields | undefined {
  // eslint-disable-next-line no-control-regex
  const plain = /^\{(?:"id":"([^"\\\x00-\x1f]*)",)?"txt":"([^"\\\x00-\x1f]*)"\}$/;
  const [, id, txt] = plain.exec(text) ?? [];
  if (txt === undefined) return undefined;
  return id === undefined ? { txt } : { id, txt };
}

/** Parses any JSON object. */
export function parseAnyJson(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MlogError('invalid_argument', 'This is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MlogError('invalid_argument', 'This is not a JSON object with a member "txt".');
  }
  checkNames(text, value);
  return value;
}

/**
 * Parses lines of JSON objects, skipping blank lines and a byte order mark at the start. Throws
 * `invalid_argument` with the number of the line, and `too_large` beyond `maxCount` lines.
 */
export function parseNdjson<T>(
  text: string,
  maxCount: number,
  parseFields: (fields: Fields) => T,
): T[] {
  const parsed: T[] = [];
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    if (parsed.length === maxCount) {
      throw new MlogError('too_large', `More than ${maxCount} lines in one request.`, {
        hint: 'Nothing of it was stored. Send it in several requests.',
      });
    }
    parsed.push(atLine(index + 1, () => parseFields(parseJson(line))));
  }
  return parsed;
}

function atLine<T>(line: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof MlogError)) throw error;
    throw new MlogError(error.code, `Line ${line}: ${error.message}`, {
      hint: error.hint,
      details: { line },
    });
  }
}

/** Writes a value as a line of NDJSON, which is also the form of a JSON body. */
export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Writes a message as a line of NDJSON. */
export function toMessageLine({ id, txt }: Message): string {
  return `{"id":${toJsonString(id)},"txt":${toJsonString(txt)}}\n`;
}

/** Writes the outcome of a message as a line of NDJSON. The reference gives no `seq`. */
export function toResultLine({ id, seq, status }: AppendResult): string {
  const place = seq === undefined ? '' : `"seq":${seq},`;
  return `{"id":${toJsonString(id)},${place}"status":"${status}"}\n`;
}

/** Writes an entry as one line of JSON, without the newline. */
export function toEntryJson({ seq, id, txt, at }: Entry): string {
  const [idJson, txtJson, atJson] = [toJsonString(id), toJsonString(txt), toJsonString(at)];
  return `{"seq":${seq},"id":${idJson},"txt":${txtJson},"at":${atJson}}`;
}

/** Writes pages of entries as NDJSON, one entry per line. */
export async function* encodeNdjson(
  pages: AsyncIterable<readonly Entry[]>,
): AsyncGenerator<string> {
  for await (const page of pages) {
    for (const part of cutPage(page)) yield part.map((entry) => `${toEntryJson(entry)}\n`).join('');
  }
}
