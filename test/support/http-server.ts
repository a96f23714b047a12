import { readSettings } from '../../src/config.ts';
import { startServer, type Routes, type Server } from '../../src/http/server/server.ts';
import { createLogger } from '../../src/observe/logger.ts';

/** Starts an HTTP server in this process, on a free port, with the given limits. */
export const startHttpServer = (
  routes: Routes,
  limits: Partial<Parameters<typeof startServer>[0]['limits']> = {},
): Promise<Server> =>
  startServer({
    host: '127.0.0.1',
    port: 0,
    routes,
    limits: { ...readSettings('facade', {}, {}), ...limits },
    logger: createLogger({ level: 'silent' }),
  });
