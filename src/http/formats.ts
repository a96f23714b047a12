import { isUtf8 } from 'node:buffer';
import { MlogError } from '../errors.ts';
import type { AppendResult } from '../journal/journal.ts';
import type { Entry } from '../message.ts';

/** The media types that mlog speaks. */
export const mediaTypes = {
  form: 'application/x-www-form-urlencoded',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  problem: 'application/problem+json',
  text: 'text/plain',
} as const;

/** The fields of a message as a client sent them; what is right is decided in `message.ts`. */
export interface Fields {
  readonly id?: unknown;
  readonly txt?: unknown;
}

/** Decodes bytes as UTF-8. Throws `invalid_argument`: text is never repaired. */
export function decodeText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new MlogError('invalid_argument', 'The body is not valid UTF-8.');
  return bytes.toString();
}

/**
 * Reads `id` and `txt` of a form (application/x-www-form-urlencoded); other fields are ignored.
 * Throws `invalid_argument` for a malformed escape, bytes that are not UTF-8, or a repeated field.
 */
export function parseForm(bytes: Buffer): Fields {
  const fields: { id?: string; txt?: string } = {};
  for (const pair of decodeText(bytes).split('&')) {
    const equals = pair.indexOf('=');
    const name = unescapeForm(equals < 0 ? pair : pair.slice(0, equals));
    if (name !== 'id' && name !== 'txt') continue;
    if (fields[name] !== undefined) {
      throw new MlogError('invalid_argument', `The field ${name} is there twice.`);
    }
    fields[name] = equals < 0 ? '' : unescapeForm(pair.slice(equals + 1));
  }
  return fields;
}

function unescapeForm(text: string): string {
  if (!/[+%]/.test(text)) return text;
  try {
    return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text);
  } catch {
    throw new MlogError('invalid_argument', 'The form has a malformed percent escape.', {
      hint: 'Escape the text, as `curl --data-urlencode "txt=…"` does.',
    });
  }
}

/** Reads the fields of a message from a JSON object. Throws `invalid_argument`. */
export function parseJson(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MlogError('invalid_argument', 'This is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MlogError('invalid_argument', 'This is not a JSON object with a member "txt".');
  }
  return value;
}

/** Reads lines of JSON objects, skipping blank lines. Throws `invalid_argument` naming the line. */
export function parseNdjson<T>(text: string, parseFields: (fields: Fields) => T): T[] {
  const parsed: T[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    parsed.push(atLine(index + 1, () => parseFields(parseJson(line))));
  }
  return parsed;
}

/** Runs the parsing of one line; an error of it names the line. */
export function atLine<T>(line: number, parse: () => T): T {
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

/** One value as a line of NDJSON, and as the JSON body of a reply: they look the same. */
export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Writes what became of a message as a line of NDJSON. */
export function toResultLine({ id, seq, status }: AppendResult): string {
  return toJsonLine({ id, seq, status });
}

/** Writes pages of entries as NDJSON, an entry a line. */
export async function* encodeNdjson(
  pages: AsyncIterable<readonly Entry[]>,
): AsyncGenerator<string> {
  for await (const page of pages) yield page.map(toJsonLine).join('');
}

/** Writes pages of entries as the reference does: a JSON array of the texts and a newline. */
export async function* encodeTexts(pages: AsyncIterable<readonly Entry[]>): AsyncGenerator<string> {
  let before = '[';
  for await (const page of pages) {
    yield before + page.map(({ txt }) => JSON.stringify(txt)).join(',');
    before = ',';
  }
  yield before === '[' ? '[]\n' : ']\n';
}

/**
 * Cuts flowing text into its lines; a last line without a newline counts too. A line beyond
 * `lineMaxLength` comes cut one character past it, so memory stays bounded and its reader can see
 * that it is too long.
 */
export async function* splitLines(
  chunks: AsyncIterable<string>,
  lineMaxLength: number,
): AsyncGenerator<string[]> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = chunk.split('\n');
    lines[0] = rest + lines[0]!;
    rest = cut(lines.pop()!, lineMaxLength);
    if (lines.length > 0) yield lines.map((line) => cut(line, lineMaxLength));
  }
  if (rest) yield [rest];
}

function cut(line: string, lineMaxLength: number): string {
  return line.length > lineMaxLength ? line.slice(0, lineMaxLength + 1) : line;
}
