import type { Settings } from '../../config.ts';
import { MlogError } from '../../errors.ts';
import { startServer, type Server } from '../../http/server/server.ts';
import { withTail } from '../../journal/wrap/tail.ts';
import { closeInReverse, type Closeable } from '../../lifecycle.ts';
import type { Logger } from '../../observe/logger.ts';
import { openJournal, openStore } from '../../open-journal.ts';
import { asOriginal, startReplica } from './replica.ts';
import { messagesRoutes, type ReplicaSource } from './routes.ts';

/** Starts the messages role, as a replica where it is told whom to follow. */
export async function startMessages(
  settings: Settings,
  logger: Logger,
  onFatal: (error: MlogError) => void,
): Promise<Server> {
  const { host, port } = settings;
  const things: Closeable[] = [];
  try {
    const source = settings.follow
      ? await openReplica(settings, logger, onFatal, things)
      : undefined;
    const routes = messagesRoutes(settings, source);
    const server = await startServer({
      host,
      port,
      routes,
      limits: settings,
      logger: logger.child({ service: 'messages' }),
    });
    things.push(server);
    if (settings.follow && isSamePlace(settings.follow, server.url))
      throw selfError(settings.follow);
    return { url: server.url, close: () => closeInReverse(things) };
  } catch (error) {
    await closeInReverse(things);
    throw error;
  }
}

async function openReplica(
  { follow, store, attemptTimeoutMs }: Settings,
  logger: Logger,
  onFatal: (error: MlogError) => void,
  things: Closeable[],
): Promise<ReplicaSource> {
  const onWarning = (warning: string) => logger.warn(warning);
  const kept = await openStore(store, { attemptTimeoutMs, onFatal, onWarning });
  things.push(kept);
  const original = await openJournal(follow, { attemptTimeoutMs });
  things.push(original);
  const replica = startReplica(original, kept, logger);
  things.push(replica);
  return { replica, store: kept, journal: asOriginal(kept, withTail(kept), replica) };
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Tells whether an address is that of a server of this process. */
function isSamePlace(address: string, url: string): boolean {
  const [there, here] = [new URL(address), new URL(url)];
  const isHere = there.hostname === here.hostname;
  const areLocal = loopbackNames.has(there.hostname) && loopbackNames.has(here.hostname);
  return there.port === here.port && (isHere || areLocal);
}

function selfError(address: string): MlogError {
  return new MlogError('failed_precondition', `--follow ${address} is this service itself.`, {
    hint: 'Name the logging service of which to be a replica, such as http://localhost:8881.',
  });
}
