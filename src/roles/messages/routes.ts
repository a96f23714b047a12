import { mediaTypes } from '../../http/formats.ts';
import { healthRoutes } from '../../http/health.ts';
import { json } from '../../http/reply.ts';
import type { Routes } from '../../http/server.ts';
import { notImplementedText } from './service.ts';

/** The HTTP surface of the messages role. */
export function messagesRoutes(): Routes {
  return {
    ...healthRoutes('messages', {}),
    '/messages': {
      GET: () => ({
        status: 200,
        type: `${mediaTypes.text}; charset=utf-8`,
        body: notImplementedText,
      }),
      otherwise: () => json(405, 'Method not allowed', { Allow: 'GET, HEAD' }),
    },
  };
}
