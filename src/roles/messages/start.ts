import type { Settings } from '../../config.ts';
import { startServer, type Server } from '../../http/server.ts';
import type { Logger } from '../../observe/logger.ts';
import { messagesRoutes } from './routes.ts';

/** Starts the messages role. */
export async function startMessages(settings: Settings, logger: Logger): Promise<Server> {
  const { host, port } = settings;
  return await startServer({ host, port, routes: messagesRoutes(), limits: settings, logger });
}
