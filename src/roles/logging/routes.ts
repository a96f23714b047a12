import { bodyMaxBytesOf, readBody } from '../../http/server/body.ts';
import {
  decodeText,
  mediaTypes,
  parseForm,
  parseJson,
  parseNdjson,
  toResultLine,
} from '../../http/formats.ts';
import { healthRoutes } from '../../http/server/health.ts';
import { listingTypes, parseListing, replyToListing } from '../../http/server/listing.ts';
import { byAccept, byMediaType } from '../../http/server/media-type.ts';
import { json, type Reply } from '../../http/server/reply.ts';
import type { Request, Routes } from '../../http/server/server.ts';
import type { Journal } from '../../journal/journal.ts';
import { loggingSubject, type LoggingService } from './service.ts';

/** The bounds on a request to the logging service. */
export interface LoggingLimits {
  readonly txtMaxBytes: number;
  readonly appendMaxCount: number;
  readonly appendMaxBytes: number;
  readonly bodiesMaxBytes: number;
  readonly requestTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** Tells a facade that this service takes more than forms. */
const roleHeader = { 'Mlog-Role': 'logging' };

/** Returns the HTTP surface of the logging role. */
export function loggingRoutes(
  service: LoggingService,
  journal: Journal,
  limits: LoggingLimits,
): Routes {
  const { heartbeatMs } = limits;
  const oneMessage = { ...limits, bodyMaxBytes: bodyMaxBytesOf(limits.txtMaxBytes) };
  const manyMessages = {
    ...limits,
    bodyMaxBytes: Math.max(limits.appendMaxBytes, oneMessage.bodyMaxBytes),
  };

  async function logForm({ raw }: Request): Promise<Reply> {
    const { id, txt } = parseForm(await readBody(raw, oneMessage));
    if (!id || !txt) return json(400, 'No id or text');
    const { status } = await service.log(service.parse({ id, txt }));
    // By the id alone, like the reference: here a conflict counts as a duplicate, with a warning in
    // the diagnostics.
    return status === 'logged'
      ? json(201, 'Message logged', roleHeader)
      : json(200, 'Duplicate detected', roleHeader);
  }

  async function logJson({ raw }: Request): Promise<Reply> {
    const fields = parseJson(decodeText(await readBody(raw, oneMessage)));
    const entry = await service.logEntry(service.parse(fields));
    return json(entry.status === 'logged' ? 201 : 200, entry);
  }

  async function logNdjson({ raw }: Request): Promise<Reply> {
    const text = decodeText(await readBody(raw, manyMessages));
    const messages = parseNdjson(text, limits.appendMaxCount, (fields) => service.parse(fields));
    const results = await service.logAll(messages);
    return { status: 200, type: mediaTypes.ndjson, body: results.map(toResultLine).join('') };
  }

  return {
    ...healthRoutes(loggingSubject(journal)),
    '/logging': {
      GET: byAccept(
        listingTypes((request, accepted) => {
          const { stopping } = request;
          return replyToListing(parseListing(request, accepted), journal, {
            heartbeatMs,
            stopping,
          });
        }),
      ),
      POST: byMediaType({
        [mediaTypes.form]: logForm,
        [mediaTypes.json]: logJson,
        [mediaTypes.ndjson]: logNdjson,
      }),
    },
  };
}
