import { parseWholeNumber, readSettings, flagOf } from '../config.ts';
import { MlogError } from '../errors.ts';
import type { HttpClient, HttpStream } from '../http/client.ts';
import { mediaTypes } from '../http/formats.ts';
import { splitLines } from '../http/lines.ts';
import { lineMaxLength, parseEntry, toHead } from '../http/ndjson-client.ts';
import { checkSeen } from '../journal/gone.ts';
import { toVisible } from '../observe/visible.ts';
import { openCursor } from './cursor.ts';
import { createEntryPrinter, type EntryPrinter } from './entry-printer.ts';
import { withFacade } from './facade-client.ts';
import { facadeError } from './facade-error.ts';
import { listAndFollow } from './list-follow.ts';
import { print } from './print.ts';

/** What `mlog list` may be told beside the settings. */
export interface ListOptions {
  readonly after?: string;
  readonly limit?: string;
  readonly last?: string;
  readonly json?: boolean;
  /** Go on with messages as they come. */
  readonly follow?: boolean;
  /** A file that keeps the position of what was printed, and where to go on. */
  readonly cursor?: string;
}

/** Prints the messages, a text a line, or an entry a line as JSON. */
export async function list(options: ListOptions): Promise<void> {
  const { follow, ...others } = options;
  const settings = readSettings('client', others);
  const query = toQuery(options);
  const cursor = options.cursor === undefined ? undefined : openCursor(options.cursor);
  const seen = cursor?.seq ?? 0;
  if (cursor?.seq !== undefined) query.set('after', String(seen));
  const printer = createEntryPrinter(options, cursor);
  try {
    await withFacade(settings, (client) =>
      follow
        ? listAndFollow(client, query, printer, seen)
        : listOnce(client, query, printer, { ...options, seen }),
    );
  } finally {
    cursor?.close();
  }
}

async function listOnce(
  client: HttpClient,
  query: URLSearchParams,
  printer: EntryPrinter,
  { json, seen }: Pick<ListOptions, 'json'> & { readonly seen: number },
): Promise<void> {
  const stream = await client.stream({
    method: 'GET',
    path: query.size > 0 ? `/?${query.toString()}` : '/',
    // The second best is what a facade gives that has no entries, only texts.
    headers: { accept: `${mediaTypes.ndjson}, ${mediaTypes.json};q=0.5` },
  });
  if (stream.status !== 200)
    throw await facadeError({ ...stream, text: await textOf(stream) }, client);
  if (stream.header('content-type').startsWith(mediaTypes.ndjson)) {
    checkSeen(seen, toHead(stream));
    await printEntries(stream, printer, client);
  } else {
    await printTexts(stream, Boolean(json) || query.size > 0, client);
  }
}

async function printEntries(
  stream: HttpStream,
  printer: EntryPrinter,
  { url }: HttpClient,
): Promise<void> {
  for await (const lines of splitLines(stream.chunks, lineMaxLength)) {
    // Such a line comes cut, and nothing has entries as long.
    if (lines.some(({ length }) => length > lineMaxLength)) {
      throw new MlogError('failed_precondition', 'The reply is no list of messages.');
    }
    if (!(await printer.print(lines.map((line) => parseEntry(line, url))))) return;
  }
}

/** Prints the list of a facade over a reference logging service, which has texts and no more. */
async function printTexts(
  stream: HttpStream,
  wantsEntries: boolean,
  { url }: HttpClient,
): Promise<void> {
  const texts = parseTexts(await textOf(stream));
  if (!texts || wantsEntries) {
    throw new MlogError('unimplemented', `The services behind ${url} list texts and no entries.`, {
      hint: texts ? 'Ask for the plain list.' : 'Name the place of the facade with --url.',
    });
  }
  await print(texts.map((txt) => `${toVisible(txt)}\n`).join(''));
}

/** Reads either list of the reference: the texts alone, or within that of both services. */
function parseTexts(text: string): string[] | undefined {
  try {
    const listed = JSON.parse(text) as string[];
    const [logged, messages] = listed;
    const [, body] = /^logging-service: (\[.*\])\s*$/s.exec(logged ?? '') ?? [];
    const isOfBoth = listed.length === 2 && messages!.startsWith('message-service: ');
    if (isOfBoth && body !== undefined) return JSON.parse(body) as string[];
    return listed.every((txt) => typeof txt === 'string') ? listed : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(stream: HttpStream): Promise<string> {
  let text = '';
  for await (const chunk of stream.chunks) text += chunk;
  return text;
}

const excluding = [
  ['limit', 'last', '--limit takes the first messages, --last the last ones.'],
  ['after', 'cursor', 'A cursor says by itself where to go on.'],
  ['last', 'cursor', 'A cursor says by itself where to go on.'],
] as const;

function toQuery(options: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ['after', 'limit', 'last'] as const) {
    const given = options[name];
    if (given === undefined) continue;
    if (parseWholeNumber(given, 0, Number.MAX_SAFE_INTEGER) === undefined) {
      throw new MlogError('usage', `${flagOf(name)} is ${JSON.stringify(given)}.`, {
        hint: 'It has to be a whole number of 0 or more.',
      });
    }
    query.set(name, given);
  }
  for (const [one, other, hint] of excluding) {
    if (options[one] === undefined || options[other] === undefined) continue;
    throw new MlogError('usage', `${flagOf(one)} and ${flagOf(other)} exclude each other.`, {
      hint,
    });
  }
  return query;
}
