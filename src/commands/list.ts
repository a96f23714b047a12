import { parseWholeNumber, readSettings, flagOf } from '../config.ts';
import { MlogError } from '../errors.ts';
import type { HttpClient, HttpStream } from '../http/client.ts';
import { mediaTypes, splitLines } from '../http/formats.ts';
import { lineMaxLength, parseEntry } from '../http/ndjson-client.ts';
import { toVisible, toVisibleJson } from '../observe/visible.ts';
import { facadeError, withFacade } from './facade-client.ts';
import { print } from './print.ts';

/** What `mlog list` may be told beside the settings. */
export interface ListOptions {
  readonly after?: string;
  readonly limit?: string;
  readonly last?: string;
  readonly json?: boolean;
}

/** Prints the messages, a text a line, or an entry a line as JSON. */
export async function list(options: ListOptions): Promise<void> {
  const settings = readSettings('client', { ...options });
  const query = toQuery(options);
  await withFacade(settings, async (client) => {
    const stream = await client.stream({
      method: 'GET',
      path: `/${query}`,
      // The second best is what a facade gives that has no entries, only texts.
      headers: { accept: `${mediaTypes.ndjson}, ${mediaTypes.json};q=0.5` },
    });
    if (stream.status !== 200)
      throw facadeError({ ...stream, text: await textOf(stream) }, client.url);
    if (stream.header('content-type').startsWith(mediaTypes.ndjson)) {
      await printEntries(stream, options, client);
    } else {
      await printTexts(stream, options, query !== '', client);
    }
  });
}

async function printEntries(
  stream: HttpStream,
  { json }: ListOptions,
  { url }: HttpClient,
): Promise<void> {
  for await (const lines of splitLines(stream.chunks, lineMaxLength)) {
    // Such a line comes cut, and nothing has entries as long.
    if (lines.some(({ length }) => length > lineMaxLength)) {
      throw new MlogError('failed_precondition', 'The reply is no list of messages.');
    }
    const text = lines.map((line) => {
      const { txt } = parseEntry(line, url);
      return json ? toVisibleJson(line) : toVisible(txt);
    });
    if (!(await print(`${text.join('\n')}\n`))) return;
  }
}

/** Prints the list of a facade over a reference logging service, which has texts and no more. */
async function printTexts(
  stream: HttpStream,
  { json }: ListOptions,
  isQueried: boolean,
  { url }: HttpClient,
): Promise<void> {
  const texts = parseTexts(await textOf(stream));
  if (!texts || json || isQueried) {
    throw new MlogError('unimplemented', `The services behind ${url} list texts and no entries.`, {
      hint: texts ? 'Ask for the plain list.' : 'Name the place of the facade with --url.',
    });
  }
  await print(texts.map((txt) => `${toVisible(txt)}\n`).join(''));
}

function parseTexts(text: string): string[] | undefined {
  try {
    const [logged] = JSON.parse(text) as string[];
    const [, body] = /^logging-service: (\[.*\])\s*$/s.exec(logged!)!;
    return JSON.parse(body!) as string[];
  } catch {
    return undefined;
  }
}

async function textOf(stream: HttpStream): Promise<string> {
  let text = '';
  for await (const chunk of stream.chunks) text += chunk;
  return text;
}

function toQuery(options: ListOptions): string {
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
  if (options.limit !== undefined && options.last !== undefined) {
    throw new MlogError('usage', '--limit and --last exclude each other.', {
      hint: '--limit takes the first messages, --last the last ones.',
    });
  }
  return query.size > 0 ? `?${query.toString()}` : '';
}
