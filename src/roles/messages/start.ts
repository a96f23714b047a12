import type { ServiceAddress, StoreAddress } from '../../address.ts';
import { MlogError } from '../../errors.ts';
import { startServer, type ServerLimits } from '../../http/server/server.ts';
import { withTail } from '../../journal/wrap/tail.ts';
import { closeInReverse, type Closeable, type StartedService } from '../../lifecycle.ts';
import type { Reach } from '../../net/reach.ts';
import type { Logger } from '../../observe/logger.ts';
import { openLogging, openStore } from '../../open-journal.ts';
import { createDiagnostics } from '../../ops/diagnostics.ts';
import { asOriginal, startReplica } from './replica.ts';
import { messagesRoutes, type ReplicaSource } from './routes.ts';

/** Where the messages role listens, and the bounds on its clients. */
export interface MessagesOptions extends ServerLimits {
  readonly host: string;
  readonly port: number;
  readonly heartbeatMs: number;
}

/** What a replica follows, and where it keeps the copy. */
export interface ReplicaOptions {
  readonly follow: ServiceAddress;
  readonly store: StoreAddress;
  readonly reach: Reach;
}

/**
 * Starts the messages role, over a replica or as in the reference. Closing it closes the replica
 * last.
 */
export async function startMessages(
  options: MessagesOptions,
  logger: Logger,
  replica?: OpenReplica,
): Promise<StartedService> {
  const { host, port } = options;
  try {
    const server = await startServer({
      host,
      port,
      routes: messagesRoutes(options, replica),
      limits: options,
      logger: logger.child({ service: 'messages' }),
    });
    const close = () => closeInReverse(replica ? [replica, server] : [server]);
    const facts = { messages: server.url, ...replica?.facts };
    if (!replica || !isSamePlace(replica.follow, server.url))
      return { url: server.url, facts, close };
    await server.close();
    throw selfError(replica.follow);
  } catch (error) {
    await replica?.close();
    throw error;
  }
}

/** A running replica, and what the start line says about it. */
export interface OpenReplica extends ReplicaSource, Closeable {
  readonly follow: ServiceAddress;
  readonly facts: Readonly<Record<string, string>>;
}

/** Opens a store and follows a logging service into it. */
export async function openReplica(
  { follow, store, reach }: ReplicaOptions,
  logger: Logger,
  onFatal: (error: MlogError) => void,
): Promise<OpenReplica> {
  const kept = await openStore(store, { ...createDiagnostics(logger), onFatal });
  const { journal: original } = await openLogging(follow, reach);
  const replica = startReplica(original, kept, logger);
  return {
    replica,
    store: kept,
    journal: asOriginal(kept, withTail(kept), replica),
    follow,
    facts: { follows: follow.text, store: store.text, durability: kept.durability },
    close: () => closeInReverse([kept, original, replica]),
  };
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Says whether an address is that of a server of this process. */
function isSamePlace({ host, port }: ServiceAddress, url: string): boolean {
  const here = new URL(url);
  const areLocal = loopbackNames.has(host) && loopbackNames.has(here.hostname);
  return String(port) === here.port && (host === here.hostname || areLocal);
}

function selfError({ text }: ServiceAddress): MlogError {
  return new MlogError('failed_precondition', `--follow ${text} is this service itself.`, {
    hint: 'Name the logging service to replicate, such as http://localhost:8881.',
  });
}
