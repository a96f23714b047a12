import type { IncomingMessage } from 'node:http';
import { MlogError } from '../../errors.ts';
import { mediaTypes } from '../formats.ts';
import type { Handler } from './server.ts';

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
    throw new MlogError('unsupported_media_type', `A body of type ${type} is not taken here.`, {
      hint: `Send ${[...byType.keys()].join(', ')}.`,
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
      throw new MlogError('unsupported_media_type', `A body in ${charset} is not taken.`, {
        hint: 'Send UTF-8.',
      });
    }
  }
  return type.trim();
}
