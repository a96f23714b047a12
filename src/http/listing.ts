import Negotiator from 'negotiator';
import { parseWholeNumber } from '../setting-kinds.ts';
import { MlogError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { selectEntries, type Selection } from '../journal/select.ts';
import { parseId } from '../message.ts';
import { encodeNdjson, encodeTexts, mediaTypes, parsePairs } from './formats.ts';
import { json, type Reply } from './reply.ts';
import type { Request } from './server.ts';

/** What a reader asked for: one entry by its id, or some entries, and in which media type. */
export interface Listing extends Selection {
  readonly id?: string | undefined;
  /** The media types the reader takes, the best one first. */
  readonly types: readonly string[];
  /** The query asks for something, so the plain list is no answer. */
  readonly isQueried: boolean;
}

const parameters = ['after', 'limit', 'last', 'id'] as const;

/**
 * Reads the query and the Accept header of a listing. Throws `invalid_argument` for a wrong or
 * unknown parameter, `not_acceptable` where nothing is served that the reader takes.
 */
export function parseListing({ search, raw }: Request): Listing {
  const query = new URLSearchParams([...parsePairs(search)]);
  const types = new Negotiator(raw).mediaTypes([mediaTypes.json, mediaTypes.ndjson]);
  if (types.length === 0) {
    throw new MlogError('not_acceptable', `This is served in ${mediaTypes.json} and in ndjson.`, {
      hint: `Accept ${mediaTypes.json} or ${mediaTypes.ndjson}.`,
    });
  }
  for (const name of query.keys()) {
    const known = (parameters as readonly string[]).includes(name);
    if (!known || query.getAll(name).length > 1) {
      throw new MlogError('invalid_argument', `The query has ${known ? 'two' : 'a'} ${name}.`, {
        hint: `It may have ${parameters.join(', ')}, each once.`,
      });
    }
  }
  const id = query.get('id');
  const listing: Listing = {
    types,
    isQueried: query.size > 0,
    after: numberOf(query, 'after'),
    limit: numberOf(query, 'limit'),
    last: numberOf(query, 'last'),
    ...(id !== null && { id: parseId(id) }),
  };
  if (listing.limit !== undefined && listing.last !== undefined) {
    throw new MlogError('invalid_argument', 'The query has both limit and last.', {
      hint: 'limit takes the first entries, last the last ones.',
    });
  }
  return listing;
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const given = query.get(name);
  if (given === null) return undefined;
  const value = parseWholeNumber(given, 0, Number.MAX_SAFE_INTEGER);
  if (value === undefined) {
    throw new MlogError('invalid_argument', `${name} is not a whole number of 0 or more.`);
  }
  return value;
}

/** Answers a listing from a journal. Throws `not_found` for an id that is not in it. */
export async function replyToListing(listing: Listing, journal: Journal): Promise<Reply> {
  if (listing.id !== undefined) {
    const entry = await journal.get(listing.id);
    if (!entry) throw new MlogError('not_found', 'There is no message under this id.');
    const { lastSeq } = await journal.head();
    return json(200, entry, { 'Mlog-Last-Seq': String(lastSeq) });
  }
  const { lastSeq, pages } = await selectEntries(journal, listing);
  const asEntries = listing.types[0] === mediaTypes.ndjson;
  return {
    status: 200,
    type: asEntries ? mediaTypes.ndjson : mediaTypes.json,
    headers: { 'Mlog-Last-Seq': String(lastSeq), Vary: 'Accept' },
    body: asEntries ? encodeNdjson(pages) : encodeTexts(pages),
  };
}
