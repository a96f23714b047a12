import { startServer, type ServerLimits } from '../../http/server/server.ts';
import { closeInReverse, type StartedService } from '../../lifecycle.ts';
import type { Logger } from '../../observe/logger.ts';
import { facadeRoutes, type FacadeLimits } from './routes.ts';
import { createFacadeService } from './service.ts';
import type { Upstream } from './upstream.ts';

/** Where the facade listens, and the bounds on its clients. */
export interface FacadeOptions extends FacadeLimits, ServerLimits {
  readonly host: string;
  readonly port: number;
}

const conflictsOnly = ['conflict'] as const;

/**
 * Starts the facade in front of its upstream. Closing it closes the upstream last, and a failed
 * start closes it, too.
 */
export async function startFacade(
  options: FacadeOptions,
  upstream: Upstream,
  logger: Logger,
): Promise<StartedService> {
  const service = createFacadeService(upstream.journal, options);
  try {
    const server = await startServer({
      host: options.host,
      port: options.port,
      routes: facadeRoutes(service, upstream, options),
      limits: options,
      logger: logger.child({ service: 'facade' }),
      reportedCodes: upstream.reportsConflicts ? conflictsOnly : [],
    });
    const facts = { facade: server.url, ...upstream.facts };
    return { url: server.url, facts, close: () => closeInReverse([upstream, server]) };
  } catch (error) {
    await upstream.close();
    throw error;
  }
}
