import { gatherFacts, toReason, type Facts, type Subject } from '../../ops/facts.ts';
import { json, type Reply } from './reply.ts';
import type { Request, Routes } from './server.ts';

/**
 * Returns the health routes of a role. `/livez` checks only that the process answers. `/readyz` and
 * `/healthz` ask every dependency and name each; what else there is to know is in their headers. A
 * request without the token of the service learns the status alone.
 */
export function healthRoutes(subject: Subject): Routes {
  const { role } = subject;

  async function ready({ isAnonymous }: Request): Promise<Reply> {
    const facts = await gatherFacts(subject);
    const { dependencies, isReady } = facts;
    if (isAnonymous) return { status: isReady ? 200 : 503 };
    const status = isReady ? 'ready' : 'not ready';
    const body = { role, status, dependencies };
    const reply = json(isReady ? 200 : 503, body, toHeaders(facts));
    return isReady ? reply : { ...reply, reason: toReason(facts) };
  }

  const alive = json(200, { role, status: 'alive' }, { 'Mlog-Role': role });
  return {
    '/livez': { GET: ({ isAnonymous }) => (isAnonymous ? { status: 200 } : alive), isProbe: true },
    '/readyz': { GET: ready, isProbe: true },
    '/healthz': { GET: ready, isProbe: true },
  };
}

function toHeaders({ role, version, lastSeq, lag }: Facts): Record<string, string> {
  return {
    'Mlog-Role': role,
    'Mlog-Version': version,
    ...(lastSeq !== undefined && { 'Mlog-Last-Seq': String(lastSeq) }),
    ...(lag !== undefined && { 'Mlog-Replica-Lag': String(lag) }),
  };
}
