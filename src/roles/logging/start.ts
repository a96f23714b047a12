import type { Settings } from '../../config.ts';
import { fullText } from '../../net/connection-limit.ts';
import type { MlogError } from '../../errors.ts';
import { startGrpcListener } from '../../grpc/server/listener.ts';
import { startServer, type Server } from '../../http/server/server.ts';
import { withBatch } from '../../journal/wrap/batch.ts';
import type { Journal } from '../../journal/journal.ts';
import { withLimit } from '../../journal/wrap/limit.ts';
import { withTail } from '../../journal/wrap/tail.ts';
import { closeInReverse } from '../../lifecycle.ts';
import { isInUse } from '../../net/listen.ts';
import type { Logger } from '../../observe/logger.ts';
import { openJournal } from '../../open-journal.ts';
import { withDiagnostics } from './diagnostics.ts';
import { loggingRoutes } from './routes.ts';
import { createLoggingService, type LoggingService } from './service.ts';

/** A logging service that listens, and the journal it keeps, for other roles of this process. */
export interface StartedLogging extends Server {
  readonly journal: Journal;
  /** Where it listens for gRPC, if it does. */
  readonly grpcUrl: string | undefined;
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
    onNotice: (notice) => logger.info(notice),
  });
  const told = withDiagnostics(withTail(store), logger);
  const journal = withLimit(withBatch(told, settings), settings);
  const servers: Server[] = [];
  // Both wires at a time: neither takes messages while the other one stops.
  const wires = { close: async () => void (await Promise.all(servers.map((one) => one.close()))) };
  const close = () => closeInReverse([journal, wires]);
  try {
    const service = createLoggingService(journal, settings);
    const routes = loggingRoutes(service, journal, settings);
    const server = await startServer({
      host,
      port,
      routes,
      limits: settings,
      logger: logger.child({ service: 'logging' }),
      toldCodes: ['conflict'],
    });
    servers.push(server);
    const grpc = await startGrpc(settings, logger, service, journal);
    if (grpc) servers.push(grpc);
    return { url: server.url, grpcUrl: grpc?.url, journal, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const defaultGrpcPort = 50_051;

/** What a message of gRPC has beside a text: the id, and some bytes that tell what is what. */
const messageExtraBytes = 1_024;

/**
 * What grpc-js takes beyond our own limits, since it ends the whole stream by a status of its own,
 * where we refuse one group and say why. Any client may send as much to any server: 4 MiB.
 */
const receiveExtraBytes = 4 * 1024 * 1024;

/**
 * Listens for gRPC too, unless it is turned off. Where nobody has asked for a port and the usual one
 * is taken, there is a warning and no gRPC: a second service beside the first one starts as it did.
 */
async function startGrpc(
  settings: Settings,
  logger: Logger,
  service: LoggingService,
  journal: Journal,
): Promise<Server | undefined> {
  const { host, port, grpcPort, connectionsMax, appendMaxBytes, txtMaxBytes } = settings;
  if (grpcPort === 0) return undefined;
  const groupMaxBytes = Math.max(appendMaxBytes, txtMaxBytes + messageExtraBytes);
  const limits = { ...settings, messageMaxBytes: groupMaxBytes + receiveExtraBytes };
  const where = {
    host,
    port: grpcPort ?? (port === 0 ? 0 : defaultGrpcPort),
    connectionsMax,
    onFull: () => logger.warn(fullText(connectionsMax)),
  };
  try {
    return await startGrpcListener(where, async () => {
      const { createGrpcServer } = await import('../../grpc/server/server.ts');
      const { loggingMethods } = await import('./rpc.ts');
      const grpcLogger = logger.child({ service: 'logging' });
      const own = { ...settings, groupMaxBytes };
      const methods = loggingMethods(service, journal, own, grpcLogger);
      return createGrpcServer({ methods, limits, logger: grpcLogger });
    });
  } catch (error) {
    if (grpcPort !== undefined || !isInUse(error)) throw error;
    logger.warn(`No gRPC: port ${defaultGrpcPort} is in use. Choose a --grpc-port, or 0 for none.`);
    return undefined;
  }
}
