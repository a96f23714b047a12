import manifest from '../../package.json' with { type: 'json' };
import { readSettings, type Settings } from '../config.ts';
import { limitToDescriptors } from '../net/connection-limit.ts';
import { MlogError } from '../errors.ts';
import { closeInReverse, runUntilStopped, stopWithParent, type Closeable } from '../lifecycle.ts';
import { createLogger, type Logger } from '../observe/logger.ts';
import { durabilityOf, retentionOf } from '../open-journal.ts';
import { listOfServices, listOfTexts, oneText } from '../roles/facade/lists.ts';
import type { Upstream } from '../roles/facade/routes.ts';
import { startFacade } from '../roles/facade/start.ts';
import { openUpstream } from '../roles/facade/upstream.ts';
import { startLogging, type StartedLogging } from '../roles/logging/start.ts';
import { notImplementedText } from '../roles/messages/service.ts';
import { startMessages } from '../roles/messages/start.ts';
import type { Role } from '../setting-kinds.ts';
import { keepsWorkers, serveWorkers, workerPid } from './serve-workers.ts';

/** What runs, the first started first, and what the start line says of it. */
interface Started {
  readonly things: Closeable[];
  facts: Record<string, string>;
}

interface Context {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly onFatal: (error: MlogError) => void;
  readonly stopping: AbortSignal;
}

/** What is left of a stop to answer those whose messages got no answer. */
const lastWordsMs = 1_000;

/** Runs one service, or all three where none is named, until a signal stops it. */
export async function serve(
  role: Role | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const given = readSettings(role ?? 'all', flags);
  // Who reads from a facade apart may need another service read for it.
  const connectionsMax = limitToDescriptors(given.connectionsMax, role === 'facade' ? 2 : 1);
  const settings = { ...given, connectionsMax };
  if (role === 'messages' && flags['store'] !== undefined && !settings.follow) throw storeError();
  if (settings.stopOn === 'parent') stopWithParent();
  if (keepsWorkers(settings.workers)) return await serveWorkers(flags);
  const logger = createLogger({ level: settings.logLevel, pid: workerPid() });
  let onFatal!: (error: MlogError) => void;
  const failed = new Promise<never>((_, reject) => {
    onFatal = ({ message, hint }) =>
      reject(new MlogError('failed_precondition', message, { hint }));
  });
  failed.catch(() => {});

  const started: Started = { things: [], facts: {} };
  const stopping = new AbortController();
  const stop = () => {
    // Who still waits for another service then is told that the outcome is not known.
    setTimeout(() => stopping.abort(), settings.shutdownTimeoutMs - lastWordsMs).unref();
    return closeInReverse(started.things);
  };
  async function start(): Promise<void> {
    const context = { settings, logger, onFatal, stopping: stopping.signal };
    await starters[role ?? 'all'](context, started);
    const limit = `At most ${connectionsMax} connections`;
    if (connectionsMax < given.connectionsMax) {
      logger.warn(`${limit}, since the limit of open files (ulimit -n) allows no more.`);
    }
    logger.info({ version: manifest.version, ...started.facts, connectionsMax }, 'Ready');
  }
  const { shutdownTimeoutMs } = settings;
  await runUntilStopped({ start, stop, failed, shutdownTimeoutMs, logger });
  // A worker's channel to its keeper would hold the process.
  process.disconnect?.();
}

function storeError(): MlogError {
  return new MlogError('usage', '--store is there without --follow.', {
    hint: 'A messages service keeps messages when it follows a service, as http://localhost:8881.',
  });
}

const starters = { facade: startApart, logging: startStore, messages: startList, all: startAll };

async function startApart({ settings, logger, stopping }: Context, started: Started) {
  const upstream = await openUpstream(settings, logger, stopping);
  started.things.push(upstream);
  const facade = await startFacade(settings, logger, upstream);
  started.things.push(facade);
  started.facts = {
    facade: facade.url,
    'logging at': settings.logging,
    // Over gRPC the list is that of the logging service alone.
    ...(!upstream.tellsStatus && { 'messages at': settings.messages }),
  };
}

async function startStore({ settings, logger, onFatal }: Context, started: Started) {
  const logging = await startLogging(settings, logger, onFatal);
  const keeps = retentionOf(settings);
  started.things.push(logging);
  started.facts = {
    logging: logging.url,
    ...(logging.grpcUrl && { grpc: logging.grpcUrl }),
    ...started.facts,
    store: settings.store,
    durability: durabilityOf(settings.store),
    ...(keeps && { keeps }),
  };
  return logging;
}

async function startList({ settings, logger, onFatal }: Context, started: Started) {
  const { follow, store } = settings;
  const messages = await startMessages(settings, logger, onFatal);
  started.things.push(messages);
  started.facts = {
    messages: messages.url,
    ...(follow && { follows: follow, store, durability: durabilityOf(store) }),
  };
}

async function startAll(context: Context, started: Started) {
  const { settings, logger } = context;
  const at = (port: number): Context => ({ ...context, settings: { ...settings, port } });
  await startList(at(settings.messagesPort), started);
  const logging = await startStore(at(settings.loggingPort), started);
  const facade = await startFacade(settings, logger, inThisProcess(logging));
  started.things.push(facade);
  started.facts = { facade: facade.url, ...started.facts };
}

/** The services of a facade that runs beside them: no loop through a socket. */
function inThisProcess({ journal }: StartedLogging): Upstream {
  const messagesList = async () => oneText(notImplementedText);
  return {
    journal,
    list: listOfServices(listOfTexts(journal), messagesList),
    tellsStatus: false,
    tellsConflicts: true,
    checks: { logging: () => journal.head() },
  };
}
