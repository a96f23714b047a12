import { parseWholeNumber } from '../../quantity.ts';
import { MlogError } from '../../errors.ts';
import type { Head, Journal } from '../../journal/journal.ts';
import { selectEntries, selectLive, type Furthest, type Selection } from '../../journal/select.ts';
import { encodeTexts } from '../../journal/texts.ts';
import { parseId } from '../../message.ts';
import { encodeEvents, type EventOptions } from '../events.ts';
import { encodeNdjson, mediaTypes, parsePairs } from '../formats.ts';
import type { Representation } from './media-type.ts';
import { json, type Reply } from './reply.ts';
import type { Request } from './server.ts';

/**
 * What a reader asked for: one entry by its id, or a selection of entries, and in which media type.
 */
export interface Listing extends Selection {
  readonly id?: string | undefined;
  /** The media types that the reader accepts, the best one first. */
  readonly types: readonly string[];
  /** Whether the query selects something, which the plain list cannot answer. */
  readonly isQueried: boolean;
}

const parameters = ['after', 'limit', 'last', 'id', 'journal'] as const;

/** Returns the representations of a list, answered by one handler, for the table of `byAccept`. */
export function listingTypes(handler: Representation): Record<string, Representation> {
  return {
    [mediaTypes.json]: handler,
    [mediaTypes.ndjson]: handler,
    [mediaTypes.events]: handler,
  };
}

/**
 * Parses the query of a listing whose reader accepts these media types, best first. Throws
 * `invalid_argument` for a wrong or unknown parameter.
 */
export function parseListing({ search, raw }: Request, types: readonly string[]): Listing {
  const query = new URLSearchParams([...parsePairs(search)]);
  for (const name of query.keys()) {
    const isKnown = (parameters as readonly string[]).includes(name);
    if (isKnown && query.getAll(name).length === 1) continue;
    const what = isKnown ? `repeats ${name}` : `has an unknown parameter ${name}`;
    throw new MlogError('invalid_argument', `The query ${what}.`, {
      hint: `It may have ${parameters.join(', ')}, each once.`,
    });
  }
  const id = query.get('id');
  const seen = lastEventId(raw, types);
  const listing: Listing = {
    types,
    isQueried: query.size > 0,
    after: seen ?? numberOf('after', query.get('after')),
    limit: numberOf('limit', query.get('limit')),
    // For a resuming client, the last entries are different ones now, and `last` would skip some.
    last: seen === undefined ? numberOf('last', query.get('last')) : undefined,
    journal: query.get('journal') ?? undefined,
    ...(id !== null && { id: parseId(id) }),
  };
  if (id !== null && ['after', 'limit', 'last'].some((name) => query.has(name))) {
    throw new MlogError('invalid_argument', 'The query has an id and more.', {
      hint: 'An id selects one entry; after, limit and last select from a list.',
    });
  }
  return listing;
}

/**
 * A client that resumes a stream of events sends its position in this header, whatever its query.
 */
function lastEventId(raw: Request['raw'], types: readonly string[]): number | undefined {
  const given = raw.headers['last-event-id'];
  if (types[0] !== mediaTypes.events || given === undefined) return undefined;
  return numberOf('Last-Event-ID', String(given));
}

function numberOf(name: string, given: string | null): number | undefined {
  if (given === null) return undefined;
  const value = parseWholeNumber(given, 0, Number.MAX_SAFE_INTEGER);
  if (value === undefined) {
    throw new MlogError('invalid_argument', `${name} is not a whole number of 0 or more.`);
  }
  return value;
}

/** How listings of a journal are answered. */
export interface ListingOptions extends EventOptions {
  /** Set if the journal is a copy of another one. */
  readonly furthest?: Furthest;
}

/**
 * Answers a listing from a journal. Throws `not_found` for an unknown id, and `gone` for a position
 * that retention has removed or that the journal never reached.
 */
export async function replyToListing(
  listing: Listing,
  journal: Journal,
  options: ListingOptions,
): Promise<Reply> {
  if (listing.id !== undefined) {
    const { head } = await selectEntries(journal, { limit: 0, journal: listing.journal });
    const entry = await journal.get(listing.id);
    if (!entry) throw new MlogError('not_found', 'There is no message with this id.');
    return json(200, entry, toHeaders(head));
  }
  const [type] = listing.types;
  if (type === mediaTypes.events) return await replyWithEvents(listing, journal, options);
  const { head, pages } = await selectEntries(journal, listing, options.furthest);
  return {
    status: 200,
    type,
    headers: toHeaders(head),
    body: type === mediaTypes.ndjson ? encodeNdjson(pages) : encodeTexts(pages),
  };
}

async function replyWithEvents(
  listing: Listing,
  journal: Journal,
  options: ListingOptions,
): Promise<Reply> {
  const { head, follow } = await selectLive(journal, listing, options.furthest);
  return {
    status: 200,
    type: mediaTypes.events,
    headers: { ...(head && toHeaders(head)), Vary: 'Accept', 'X-Accel-Buffering': 'no' },
    body: (gone) => encodeEvents(follow(AbortSignal.any([gone, options.stopping])), options),
  };
}

function toHeaders({ journal, firstSeq, lastSeq }: Head): Record<string, string> {
  return {
    // A facade learns no id from an older logging service.
    ...(journal && { 'Mlog-Journal': journal }),
    'Mlog-First-Seq': String(firstSeq),
    'Mlog-Last-Seq': String(lastSeq),
    Vary: 'Accept',
  };
}
