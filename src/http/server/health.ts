import { gatherFacts, toReason, type Subject } from '../../ops/facts.ts';
import { json, type Reply } from './reply.ts';
import type { Routes } from './server.ts';

/**
 * Returns the health routes of a role. `/livez` checks only that the process answers. `/readyz` and
 * `/healthz` ask every dependency and name each.
 */
export function healthRoutes(subject: Subject): Routes {
  const { role } = subject;
  const headers = { 'Mlog-Role': role };

  async function ready(): Promise<Reply> {
    const facts = await gatherFacts(subject);
    const { dependencies, isReady } = facts;
    const status = isReady ? 'ready' : 'not ready';
    const reply = json(isReady ? 200 : 503, { role, status, dependencies }, headers);
    return isReady ? reply : { ...reply, reason: toReason(facts) };
  }

  return {
    '/livez': { GET: () => json(200, { role, status: 'alive' }, headers), isProbe: true },
    '/readyz': { GET: ready, isProbe: true },
    '/healthz': { GET: ready, isProbe: true },
  };
}
