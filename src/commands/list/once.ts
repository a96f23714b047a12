import { MlogError, toMlogError } from '../../errors.ts';
import { readFailure, type HttpClient, type HttpStream } from '../../http/client/client.ts';
import { mediaTypes } from '../../http/formats.ts';
import { createNdjsonJournal, entriesOf, toQuery } from '../../http/client/ndjson.ts';
import type { Place } from '../../journal/place.ts';
import { resumed } from '../../journal/resume.ts';
import { spanOf, type Selection } from '../../journal/select.ts';
import { toVisible } from '../../observe/visible.ts';
import type { EntryConsumer } from './printer.ts';
import { resumePace } from '../facade-client.ts';
import { facadeError, notFacadeError } from '../facade-error.ts';
import { print } from '../print.ts';

/** What to list, and from where. */
export interface ListRange {
  readonly selection: Selection;
  readonly place: Place;
  /** Called once the journal is known to be the one of the place. */
  readonly onFound: () => void;
  /** Whether entries are required, rather than the plain texts of the reference. */
  readonly needsEntries: boolean;
}

/**
 * Lists the entries present at this moment. It resumes at its position after an interruption. If
 * that fails, it throws an error with the position: an incomplete list is never a success.
 */
export async function listOnce(
  client: HttpClient,
  range: ListRange,
  consumer: EntryConsumer,
  signal?: AbortSignal,
): Promise<void> {
  const { selection, place } = range;
  const stream = await openList(client, selection);
  if (!stream.header('content-type').startsWith(mediaTypes.ndjson)) {
    return await printTexts(stream, range.needsEntries, client);
  }
  const { head, pages } = entriesOf(stream, selection, client.url);
  place.check(head);
  range.onFound();
  const { after, to } = spanOf(head, selection);
  place.seq = after;
  const journal = createNdjsonJournal(client, '/');
  let begun: typeof pages | undefined = pages;
  function open(): typeof pages {
    const first = begun;
    begun = undefined;
    return (
      first ?? journal.read({ after: place.seq, limit: to - place.seq, journal: head.journal })
    );
  }
  try {
    const options = { journal, head, open, ...resumePace, ...(signal && { signal }) };
    for await (const page of resumed(place, options)) {
      if (!(await consumer.take(page, signal))) return;
    }
  } catch (error) {
    throw asIncomplete(error, place.seq, to);
  }
}

async function openList(client: HttpClient, selection: Selection): Promise<HttpStream> {
  const stream = await client.stream({
    method: 'GET',
    path: `/${toQuery(selection)}`,
    // A facade in front of the reference has no entries and sends the plain list instead.
    headers: { accept: `${mediaTypes.ndjson}, ${mediaTypes.json};q=0.5` },
  });
  if (stream.status === 200) return stream;
  throw await facadeError(await readFailure(stream), client);
}

function asIncomplete(thrown: unknown, seq: number, to: number): unknown {
  const { code, message, hint, retryable } = toMlogError(thrown);
  if (!retryable) return thrown;
  return new MlogError(code, `The list is incomplete: it ended at ${seq} of ${to}. ${message}`, {
    hint: hint ?? `\`mlog list --after ${seq}\` lists what is missing.`,
    cause: thrown,
  });
}

/** Prints the list of a facade in front of the reference, which has only texts. */
async function printTexts(
  stream: HttpStream,
  needsEntries: boolean,
  { url }: HttpClient,
): Promise<void> {
  const isJson = stream.header('content-type').startsWith(mediaTypes.json);
  const listed = parseJson(await textOf(stream));
  if (isJson && listed === undefined) {
    throw new MlogError('unavailable', `The list of ${url} was cut off: its JSON is incomplete.`, {
      hint: 'Nothing of it was printed. Ask for it again.',
    });
  }
  if (!isTexts(listed)) throw notFacadeError(url);
  const texts = toTexts(listed);
  if (!texts || needsEntries) {
    throw new MlogError('unimplemented', `The services behind ${url} list texts but no entries.`, {
      hint: texts ? 'Ask for the plain list.' : 'Set the address of the facade with --url.',
    });
  }
  await print(texts.map((txt) => `${toVisible(txt)}\n`).join(''));
}

/**
 * Returns the texts of either list of the reference: the plain array, or the one of both services.
 */
function toTexts(listed: string[]): string[] | undefined {
  const [logged, messages] = listed;
  const [, body] = /^logging-service: (\[.*\])\s*$/s.exec(logged ?? '') ?? [];
  const isOfBoth = listed.length === 2 && messages!.startsWith('message-service: ');
  if (!isOfBoth || body === undefined) return listed;
  const texts = parseJson(body);
  return isTexts(texts) ? texts : undefined;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((txt) => typeof txt === 'string');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A longer text would not fit into a string. */
const textMaxLength = 256 * 1024 * 1024;

async function textOf(stream: HttpStream): Promise<string> {
  let text = '';
  for await (const chunk of stream.chunks) {
    text += chunk;
    if (text.length <= textMaxLength) continue;
    throw new MlogError('failed_precondition', `The list exceeds ${textMaxLength} characters.`, {
      hint: 'The reference lists all texts in one array; read it with curl.',
    });
  }
  return text;
}
