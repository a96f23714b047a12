import type { Settings } from '../../config.ts';
import { startServer, type Server } from '../../http/server/server.ts';
import type { Logger } from '../../observe/logger.ts';
import { facadeRoutes, type Upstream } from './routes.ts';
import { createFacadeService } from './service.ts';

const conflictsOnly = ['conflict'] as const;

/** Starts the facade in front of its services, which stay open when it closes. */
export async function startFacade(
  settings: Settings,
  logger: Logger,
  upstream: Upstream,
): Promise<Server> {
  const { host, port } = settings;
  const service = createFacadeService(upstream.journal, settings);
  const routes = facadeRoutes(service, upstream, settings);
  const toldCodes = upstream.tellsConflicts ? conflictsOnly : [];
  return await startServer({
    host,
    port,
    routes,
    limits: settings,
    logger: logger.child({ service: 'facade' }),
    toldCodes,
  });
}
