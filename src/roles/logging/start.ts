import type { StoreAddress } from '../../address.ts';
import { fullText } from '../../net/connection-limit.ts';
import type { MlogError } from '../../errors.ts';
import { startGrpcListener } from '../../grpc/server/listener.ts';
import type { GrpcLimits } from '../../grpc/server/server.ts';
import { startServer, type Server, type ServerLimits } from '../../http/server/server.ts';
import type { Journal } from '../../journal/journal.ts';
import { withBatch, type BatchOptions } from '../../journal/wrap/batch.ts';
import { withLimit, type QueueLimits } from '../../journal/wrap/limit.ts';
import { withObserver } from '../../journal/wrap/observe.ts';
import { withTail } from '../../journal/wrap/tail.ts';
import { closeInReverse, type StartedService } from '../../lifecycle.ts';
import { isInUse } from '../../net/listen.ts';
import type { Logger } from '../../observe/logger.ts';
import { openStore } from '../../open-journal.ts';
import { createAccess } from '../../security/access.ts';
import { createDiagnostics } from '../../ops/diagnostics.ts';
import { loggingRoutes, type LoggingLimits } from './routes.ts';
import { createLoggingService, type LoggingService } from './service.ts';

/** Where the logging role listens and keeps messages, and the bounds on its clients. */
export interface LoggingOptions
  extends
    LoggingLimits,
    ServerLimits,
    QueueLimits,
    Omit<BatchOptions, 'overdueMs'>,
    Omit<GrpcLimits, 'messageMaxBytes'> {
  readonly host: string;
  readonly port: number;
  /** 0 turns gRPC off. Undefined takes the default port if it is free. */
  readonly grpcPort?: number | undefined;
  readonly store: StoreAddress;
  readonly retainMessages: number;
  readonly retainAge: number;
}

/** A running logging service, with its journal for a facade in this process. */
export interface StartedLogging extends StartedService {
  readonly journal: Journal;
}

/** Opens the store and starts the logging role over it. Closing it closes the store last. */
export async function startLogging(
  options: LoggingOptions,
  logger: Logger,
  onFatal: (error: MlogError) => void,
): Promise<StartedLogging> {
  const { retainMessages, retainAge, host, port } = options;
  const observer = createDiagnostics(logger);
  const store = await openStore(options.store, {
    retainMessages,
    retainAge,
    ...observer,
    onFatal,
  });
  const told = withObserver(withTail(store), observer);
  const journal = withLimit(withBatch(told, options), options);
  const servers: Server[] = [];
  // Both wires at once, so that neither takes messages while the other one stops.
  const wires = { close: async () => void (await Promise.all(servers.map((one) => one.close()))) };
  const close = () => closeInReverse([journal, wires]);
  try {
    const service = createLoggingService(journal, options);
    const routes = loggingRoutes(service, journal, options);
    const server = await startServer({
      host,
      port,
      routes,
      limits: options,
      logger: logger.child({ service: 'logging' }),
      reportedCodes: ['conflict'],
    });
    servers.push(server);
    const grpc = await startGrpc(options, logger, service, journal);
    if (grpc) servers.push(grpc);
    const facts = {
      logging: server.url,
      ...(grpc && { grpc: grpc.url }),
      store: options.store.text,
      durability: store.durability,
      ...(store.keeps !== undefined && { keeps: store.keeps }),
    };
    return { url: server.url, facts, journal, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const defaultGrpcPort = 50_051;

/** What a gRPC message has besides its text: the id, and the framing of both. */
const messageExtraBytes = 1_024;

/**
 * What grpc-js accepts beyond our own limits. It would end the whole stream with a status of its
 * own, while we refuse one group with a reason. By default, any gRPC server accepts 4 MiB.
 */
const receiveExtraBytes = 4 * 1024 * 1024;

/**
 * Listens for gRPC unless it is turned off. If no port was set and the default one is taken, it
 * logs a warning and serves no gRPC, so that a second service can start beside the first.
 */
async function startGrpc(
  options: LoggingOptions,
  logger: Logger,
  service: LoggingService,
  journal: Journal,
): Promise<Server | undefined> {
  const { host, port, grpcPort, connectionsMax, appendMaxBytes, txtMaxBytes } = options;
  const { headersTimeoutMs, certificates } = options;
  if (grpcPort === 0) return undefined;
  const groupMaxBytes = Math.max(appendMaxBytes, txtMaxBytes + messageExtraBytes);
  const limits = { ...options, messageMaxBytes: groupMaxBytes + receiveExtraBytes };
  const where = {
    host,
    port: grpcPort ?? (port === 0 ? 0 : defaultGrpcPort),
    connectionsMax,
    headersTimeoutMs,
    certificates,
    onFull: () => logger.warn(fullText(connectionsMax)),
  };
  try {
    return await startGrpcListener(where, async () => {
      const { createGrpcServer } = await import('../../grpc/server/server.ts');
      const { loggingMethods } = await import('./rpc.ts');
      const grpcLogger = logger.child({ service: 'logging' });
      const access = createAccess(host, options);
      const own = { ...options, groupMaxBytes };
      const methods = loggingMethods(service, journal, own, grpcLogger);
      return createGrpcServer({ methods, limits, access, logger: grpcLogger });
    });
  } catch (error) {
    if (grpcPort !== undefined || !isInUse(error)) throw error;
    logger.warn(`No gRPC: port ${defaultGrpcPort} is in use. Choose a --grpc-port, or 0 for none.`);
    return undefined;
  }
}
