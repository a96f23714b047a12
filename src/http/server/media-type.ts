import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';
import { MlogError } from '../../errors.ts';
import { mediaTypes } from '../formats.ts';
import type { Reply } from './reply.ts';
import type { Handler, Request } from './server.ts';

/**
 * Chooses the handler of a request by the media type of its body. A body without one counts as a
 * form, as in the reference. Throws `unsupported_media_type`.
 */
export function byMediaType(handlers: Readonly<Record<string, Handler>>): Handler {
  const byType = new Map(Object.entries(handlers));
  return (request) => {
    const type = mediaTypeOf(request.raw);
    const handler = byType.get(type);
    if (handler) return handler(request);
    throw new MlogError('unsupported_media_type', `A body of type ${type} is not accepted here.`, {
      hint: `Send ${[...byType.keys()].join(', ')}.`,
    });
  };
}

/** Answers in one media type. `accepted` are all types that the reader accepts, best first. */
export type Representation = (
  request: Request,
  accepted: readonly string[],
) => Promise<Reply> | Reply;

/**
 * Chooses the handler of a request by the media type that its reader accepts (RFC 9110, section
 * 12.5.1). Of equally accepted types, the first one in the table wins. Throws `not_acceptable`.
 */
export function byAccept(handlers: Readonly<Record<string, Representation>>): Handler {
  const served = Object.keys(handlers);
  return (request) => {
    const accepted = new Negotiator(request.raw).mediaTypes(served);
    const handler = accepted[0] === undefined ? undefined : handlers[accepted[0]];
    if (handler) return handler(request, accepted);
    throw new MlogError('not_acceptable', 'None of the accepted media types is available here.', {
      hint: `Accept ${served.join(', ')}.`,
    });
  };
}

function mediaTypeOf(request: IncomingMessage): string {
  const header = request.headers['content-type'];
  if (header === undefined || header === mediaTypes.form) return mediaTypes.form;
  const [type = '', ...parameters] = header.toLowerCase().split(';');
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"\s]*)/.exec(parameter)?.[1];
    if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset)) {
      throw new MlogError('unsupported_media_type', `A body in ${charset} is not accepted.`, {
        hint: 'Send UTF-8.',
      });
    }
  }
  return type.trim();
}
