import { json, type Reply } from './reply.ts';
import type { Routes } from './server.ts';

/** Asks whether one dependency can do its part; throws what is wrong with it. */
export type Check = () => Promise<unknown>;

/**
 * The health surface of a role. `/livez` looks at nothing but the process; `/readyz` and
 * `/healthz` ask every dependency and name each.
 */
export function healthRoutes(role: string, checks: Readonly<Record<string, Check>>): Routes {
  const headers = { 'Mlog-Role': role };

  async function ready(): Promise<Reply> {
    const outcomes = await Promise.all(Object.values(checks).map(runCheck));
    const isReady = outcomes.every((outcome) => outcome === 'ok');
    const dependencies = Object.fromEntries(
      Object.keys(checks).map((name, index) => [name, outcomes[index]]),
    );
    const status = isReady ? 'ready' : 'not ready';
    const reply = json(isReady ? 200 : 503, { role, status, dependencies }, headers);
    return isReady ? reply : { ...reply, reason: toReason(dependencies) };
  }

  return {
    '/livez': { GET: () => json(200, { role, status: 'alive' }, headers), isProbe: true },
    '/readyz': { GET: ready, isProbe: true },
    '/healthz': { GET: ready, isProbe: true },
  };
}

function toReason(dependencies: Record<string, string | undefined>): string {
  const failed = Object.entries(dependencies).filter(([, outcome]) => outcome !== 'ok');
  return failed.map(([name, outcome]) => `${name}: ${outcome}`).join(' ');
}

async function runCheck(check: Check): Promise<string> {
  try {
    await check();
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
