import { MlogError, toMlogError } from '../../errors.ts';
import { bodyMaxBytesOf, readBody, streamBody } from '../../http/body.ts';
import type { TextStream } from '../../http/client.ts';
import type { EventOptions } from '../../http/events.ts';
import { decodeText, mediaTypes, parseForm, parseJson, type Fields } from '../../http/formats.ts';
import { splitBytes } from '../../http/lines.ts';
import { healthRoutes, type Check } from '../../http/health.ts';
import { readIdempotencyKey } from '../../http/idempotency-key.ts';
import { parseListing, replyToListing, type Listing } from '../../http/listing.ts';
import { byMediaType } from '../../http/media-type.ts';
import { json, type Reply } from '../../http/reply.ts';
import type { Handler, Request, Routes } from '../../http/server.ts';
import type { Journal } from '../../journal/journal.ts';
import { sendLines } from './bulk.ts';
import type { FacadeService } from './service.ts';

/** Gives the body of a listing of another service, once its reply is known to be good. */
export type Source = () => Promise<TextStream>;

/** The services behind a facade. */
export interface Upstream {
  readonly journal: Journal;
  /** The body of `GET /logging`. */
  readonly loggingList: Source;
  /** The body of `GET /messages`. */
  readonly messagesList: Source;
  readonly checks: Readonly<Record<string, Check>>;
}

/** What a request to the facade is held to. */
export interface FacadeLimits {
  readonly txtMaxBytes: number;
  readonly batchMaxCount: number;
  readonly batchMaxBytes: number;
  readonly requestTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** The HTTP surface of the facade. */
export function facadeRoutes(
  service: FacadeService,
  upstream: Upstream,
  limits: FacadeLimits,
): Routes {
  const { requestTimeoutMs, txtMaxBytes, heartbeatMs } = limits;
  const bodyMaxBytes = bodyMaxBytesOf(txtMaxBytes);

  function sendOne(parseFields: (bytes: Buffer) => Fields): Handler {
    return async ({ raw }) => {
      const fields = parseFields(await readBody(raw, { bodyMaxBytes, requestTimeoutMs }));
      if (fields.txt === undefined || fields.txt === '') return json(400, 'No message');
      return send(service, fields, readIdempotencyKey(raw));
    };
  }

  function sendMany({ raw, stopping }: Request): Reply {
    if (readIdempotencyKey(raw) !== undefined) {
      throw new MlogError('invalid_argument', 'An Idempotency-Key is for one message, not lines.', {
        hint: 'Give each line an "id".',
      });
    }
    const lines = splitBytes(streamBody(raw, { requestTimeoutMs, stopping }), bodyMaxBytes);
    const body = sendLines(lines, service, { ...limits, lineMaxLength: bodyMaxBytes });
    return { status: 200, type: mediaTypes.ndjson, body };
  }

  return {
    ...healthRoutes('facade', upstream.checks),
    '/': {
      GET: (request) => {
        const { stopping } = request;
        return list(parseListing(request), upstream, { heartbeatMs, stopping });
      },
      POST: byMediaType({
        [mediaTypes.form]: sendOne(parseForm),
        [mediaTypes.json]: sendOne((bytes) => parseJson(decodeText(bytes))),
        [mediaTypes.text]: sendOne((bytes) => ({ txt: decodeText(bytes) })),
        [mediaTypes.ndjson]: sendMany,
      }),
    },
  };
}

function send(service: FacadeService, fields: Fields, key: string | undefined): Promise<Reply> {
  return service.send(service.parse(fields, key)).then(({ id, txt, isRepeat }) => {
    // Under an id that was made here only an attempt of ours can have come before.
    const isReplay = isRepeat && (key !== undefined || fields.id !== undefined);
    return json(200, { id, txt }, isReplay ? { 'Idempotent-Replayed': 'true' } : undefined);
  }, toUnknownReply);
}

/** Answers in the reference's words when the outcome is unknown; throws any other error. */
function toUnknownReply(thrown: unknown): Reply {
  const { code, message, hint, details } = toMlogError(thrown);
  if (code !== 'outcome_unknown') throw thrown;
  return json(500, { error: `${message} ${hint}`, id: details['id'] });
}

async function list(listing: Listing, upstream: Upstream, options: EventOptions): Promise<Reply> {
  if (listing.isQueried) return await replyToListing(listing, upstream.journal, options);
  if (listing.types[0] === mediaTypes.json) return await listAsReference(upstream);
  try {
    return await replyToListing(listing, upstream.journal, options);
  } catch (error) {
    // A reference logging service has no entries to give; who also takes JSON gets its list.
    if (toMlogError(error).code !== 'unimplemented') throw error;
    if (!listing.types.includes(mediaTypes.json)) throw error;
    return await listAsReference(upstream);
  }
}

/** The list of the reference: what each of the two services lists, as two strings. */
async function listAsReference({ loggingList, messagesList }: Upstream): Promise<Reply> {
  const opened: TextStream[] = [];
  const release = () => opened.forEach(({ cancel }) => cancel());
  try {
    for (const openList of [loggingList, messagesList]) opened.push(await openList());
    const body = encodeLists(opened[0]!.chunks, opened[1]!.chunks);
    return { status: 200, type: mediaTypes.json, body, release };
  } catch (error) {
    release();
    return json(500, { error: toMlogError(error).message });
  }
}

async function* encodeLists(
  logged: AsyncIterable<string>,
  messages: AsyncIterable<string>,
): AsyncGenerator<string> {
  yield '["logging-service: ';
  for await (const piece of logged) yield escapeJson(piece);
  yield '","message-service: ';
  for await (const piece of messages) yield escapeJson(piece);
  yield '"]\n';
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
