import { MlogError, toMlogError } from '../../errors.ts';
import { bodyMaxBytesOf, heldMaxBytesOf, readBody, streamBody } from '../../http/server/body.ts';
import type { EventOptions } from '../../http/events.ts';
import {
  decodeText,
  mediaTypes,
  parseForm,
  parseJson,
  toJsonLine,
  toMessageLine,
  type Fields,
} from '../../http/formats.ts';
import { splitBytes } from '../../http/lines.ts';
import { orderHeader } from '../../http/order.ts';
import { healthRoutes } from '../../http/server/health.ts';
import { readIdempotencyKey } from '../../http/server/idempotency-key.ts';
import {
  listingTypes,
  parseListing,
  replyToListing,
  type Listing,
} from '../../http/server/listing.ts';
import { byAccept, byMediaType } from '../../http/server/media-type.ts';
import { json, type Reply } from '../../http/server/reply.ts';
import type { Handler, Request, Routes } from '../../http/server/server.ts';
import type { Message } from '../../message.ts';
import { sendLines, unreadLine } from './bulk.ts';
import { holdAnswers } from './held-answers.ts';
import type { FacadeService } from './service.ts';
import type { Upstream } from './upstream.ts';

/** The bounds on a request to the facade. */
export interface FacadeLimits {
  readonly txtMaxBytes: number;
  readonly batchMaxCount: number;
  readonly batchMaxBytes: number;
  readonly bodiesMaxBytes: number;
  readonly requestTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly readerStallMs: number;
}

/** Returns the HTTP surface of the facade. */
export function facadeRoutes(
  service: FacadeService,
  upstream: Upstream,
  limits: FacadeLimits,
): Routes {
  const { requestTimeoutMs, txtMaxBytes, bodiesMaxBytes, heartbeatMs, readerStallMs } = limits;
  const bodyMaxBytes = bodyMaxBytesOf(txtMaxBytes);
  const oneBody = { bodyMaxBytes, bodiesMaxBytes, requestTimeoutMs };

  function sendOne(parseFields: (bytes: Buffer) => Fields, toBody = toMessageLine): Handler {
    return async ({ raw }) => {
      const fields = parseFields(await readBody(raw, oneBody));
      if (fields.txt === undefined || fields.txt === '') return json(400, 'No message');
      return send(service, fields, readIdempotencyKey(raw), toBody);
    };
  }

  function sendMany({ raw, stopping }: Request): Reply {
    if (readIdempotencyKey(raw) !== undefined) {
      throw new MlogError('invalid_argument', 'An Idempotency-Key is for one message, not lines.', {
        hint: 'Give each line an "id".',
      });
    }
    const lines = splitBytes(streamBody(raw, { requestTimeoutMs, stopping }), {
      lineMaxBytes: bodyMaxBytes,
      heldMaxBytes: heldMaxBytesOf(oneBody),
    });
    const isOrderStrict = raw.headers[orderHeader] === 'strict';
    const bounds = { ...limits, lineMaxLength: bodyMaxBytes, isOrderStrict };
    const answered = { line: 0 };
    const body = holdAnswers(sendLines(lines, service, bounds, answered), {
      patienceMs: readerStallMs / 2,
      lastAnswer: () => unreadLine(answered.line + 1),
    });
    return { status: 200, type: mediaTypes.ndjson, body: endWell(body, stopping) };
  }

  return {
    ...healthRoutes({ role: 'facade', checks: upstream.checks }),
    '/': {
      GET: byAccept(
        listingTypes((request, accepted) => {
          const { stopping } = request;
          return list(parseListing(request, accepted), upstream, { heartbeatMs, stopping });
        }),
      ),
      POST: byMediaType({
        [mediaTypes.form]: sendOne(parseForm, upstream.tellsStatus ? toStatusLine : toMessageLine),
        [mediaTypes.json]: sendOne((bytes) => parseJson(decodeText(bytes))),
        [mediaTypes.text]: sendOne((bytes) => ({ txt: decodeText(bytes) })),
        [mediaTypes.ndjson]: sendMany,
      }),
    },
  };
}

/**
 * Completes a reply that has begun when the server stops: a line without an answer was not taken.
 */
async function* endWell(
  answers: AsyncIterable<string>,
  stopping: AbortSignal,
): AsyncGenerator<string> {
  let hasBegun = false;
  try {
    for await (const answer of answers) {
      hasBegun = true;
      yield answer;
    }
  } catch (error) {
    if (!hasBegun || !stopping.aborted) throw error;
  }
}

/** A repeat gets the body of the first reply; a header marks it as a repeat. */
function toStatusLine({ id }: Message): string {
  return toJsonLine({ id, status: 'Logged' });
}

function send(
  service: FacadeService,
  fields: Fields,
  key: string | undefined,
  toBody: (message: Message) => string,
): Promise<Reply> {
  return service.send(service.parse(fields, key)).then((sent) => {
    // Under an id that was made here, only an attempt of ours can have come before.
    const isReplay = sent.isRepeat && (key !== undefined || fields.id !== undefined);
    const headers = isReplay ? { 'Idempotent-Replayed': 'true' } : undefined;
    return { status: 200, type: mediaTypes.json, headers, body: toBody(sent) };
  }, toUnknownReply);
}

/** Replies in the words of the reference if the outcome is unknown. Throws any other error. */
function toUnknownReply(thrown: unknown): Reply {
  const { code, message, hint, details } = toMlogError(thrown);
  if (code !== 'outcome_unknown') throw thrown;
  return { ...json(500, { error: `${message} ${hint}`, id: details['id'] }), reason: message };
}

async function list(listing: Listing, upstream: Upstream, options: EventOptions): Promise<Reply> {
  if (listing.isQueried) return await replyToListing(listing, upstream.journal, options);
  if (listing.types[0] === mediaTypes.json) return await listAsReference(upstream);
  try {
    return await replyToListing(listing, upstream.journal, options);
  } catch (error) {
    // The reference has no entries. A reader that also accepts JSON gets its plain list.
    if (toMlogError(error).code !== 'unimplemented') throw error;
    if (!listing.types.includes(mediaTypes.json)) throw error;
    return await listAsReference(upstream);
  }
}

async function listAsReference(upstream: Upstream): Promise<Reply> {
  try {
    const { chunks, cancel } = await upstream.list();
    return { status: 200, type: mediaTypes.json, body: chunks, release: cancel };
  } catch (error) {
    const { message } = toMlogError(error);
    return { ...json(500, { error: message }), reason: message };
  }
}
