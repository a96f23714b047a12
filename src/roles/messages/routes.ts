import { mediaTypes } from '../../http/formats.ts';
import { healthRoutes } from '../../http/server/health.ts';
import { listingTypes, parseListing, replyToListing } from '../../http/server/listing.ts';
import { byAccept } from '../../http/server/media-type.ts';
import { json } from '../../http/server/reply.ts';
import type { Handler, Routes } from '../../http/server/server.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Subject } from '../../ops/facts.ts';
import type { Replica } from './replica.ts';
import { notImplementedText } from './service.ts';

/** A replica, its store, and the store presented as the original. */
export interface ReplicaSource {
  readonly replica: Replica;
  readonly store: Pick<Journal, 'head'>;
  readonly journal: Journal;
}

/** Returns the HTTP surface of the messages role, over a replica or as in the reference. */
export function messagesRoutes(
  limits: { readonly heartbeatMs: number },
  source?: ReplicaSource,
): Routes {
  return {
    ...healthRoutes(source ? subjectOf(source) : { role: 'messages', checks: {} }),
    '/messages': {
      GET: source ? listReplica(source, limits) : sayNotImplemented,
      otherwise: () => json(405, 'Method not allowed', { Allow: 'GET, HEAD' }),
    },
  };
}

function subjectOf({ replica, store }: ReplicaSource): Subject {
  const head = () => store.head();
  const checks = { store: head, replica: () => replica.check() };
  return { role: 'messages', checks, head, lag: () => replica.lag() };
}

const sayNotImplemented: Handler = () => ({
  status: 200,
  type: `${mediaTypes.text}; charset=utf-8`,
  body: notImplementedText,
});

function listReplica(
  { replica, journal }: ReplicaSource,
  { heartbeatMs }: { readonly heartbeatMs: number },
): Handler {
  return byAccept(
    listingTypes(async (request, accepted) => {
      const lag = await replica.lag();
      const { stopping } = request;
      const options = { heartbeatMs, stopping, furthest: () => replica.furthest() };
      const reply = await replyToListing(parseListing(request, accepted), journal, options);
      return {
        ...reply,
        headers: { ...reply.headers, 'Mlog-Replica-Lag': String(lag ?? 'unknown') },
      };
    }),
  );
}
