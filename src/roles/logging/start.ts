import type { Settings } from '../../config.ts';
import type { MlogError } from '../../errors.ts';
import { startServer, type Server } from '../../http/server.ts';
import { withBatch } from '../../journal/batch.ts';
import type { Journal } from '../../journal/journal.ts';
import { withLimit } from '../../journal/limit.ts';
import { withTail } from '../../journal/tail.ts';
import { closeInReverse } from '../../lifecycle.ts';
import type { Logger } from '../../observe/logger.ts';
import { openJournal } from '../../open-journal.ts';
import { withDiagnostics } from './diagnostics.ts';
import { loggingRoutes } from './routes.ts';
import { createLoggingService } from './service.ts';

/** A logging service that listens, and the journal it keeps, for other roles of this process. */
export interface StartedLogging extends Server {
  readonly journal: Journal;
}

/** Opens the store and starts the logging role over it; closing it closes the store last. */
export async function startLogging(
  settings: Settings,
  logger: Logger,
  onFatal: (error: MlogError) => void,
): Promise<StartedLogging> {
  const { attemptTimeoutMs, retainMessages, retainAge, host, port } = settings;
  const store = await openJournal(settings.store, {
    attemptTimeoutMs,
    retainMessages,
    retainAge,
    onFatal,
    onWarning: (warning) => logger.warn(warning),
  });
  const told = withDiagnostics(withTail(store), logger);
  const journal = withLimit(withBatch(told, settings), settings);
  try {
    const service = createLoggingService(journal, settings);
    const routes = loggingRoutes(service, journal, settings);
    const server = await startServer({ host, port, routes, limits: settings, logger });
    return { url: server.url, journal, close: () => closeInReverse([journal, server]) };
  } catch (error) {
    await journal.close();
    throw error;
  }
}
