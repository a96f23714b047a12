import manifest from '../../../package.json' with { type: 'json' };
import { readSettings, type Flags } from '../../config.ts';
import { limitToDescriptors } from '../../net/connection-limit.ts';
import { MlogError } from '../../errors.ts';
import {
  closeInReverse,
  runUntilStopped,
  stopWithParent,
  type Closeable,
  type StartedService,
} from '../../lifecycle.ts';
import { createLogger, type Logger } from '../../observe/logger.ts';
import { checkExposure } from '../../security/access.ts';
import { startFacade } from '../../roles/facade/start.ts';
import { openUpstream, upstreamInProcess } from '../../roles/facade/upstream.ts';
import { startLogging } from '../../roles/logging/start.ts';
import { notImplementedText } from '../../roles/messages/service.ts';
import { openReplica, startMessages } from '../../roles/messages/start.ts';
import type { Role } from '../../setting.ts';
import { openCredentials, type Credentials } from './credentials.ts';
import { warnOfOldNode } from './node-line.ts';
import { isWorkersPrimary, serveWorkers, workerProcessId } from './workers.ts';

/** What a role gets besides its settings. */
interface Context {
  readonly flags: Flags;
  /** The limit of connections, lowered to what this process may open. */
  readonly connectionsMax: number;
  readonly credentials: Credentials;
  readonly logger: Logger;
  readonly onFatal: (error: MlogError) => void;
  readonly stopping: AbortSignal;
}

/** The part of the shutdown time that is left to answer messages without an outcome. */
const finalRepliesMs = 1_000;

/** Runs one service, or all three if none is named, until a signal stops it. */
export async function serve(role: Role | undefined, flags: Flags): Promise<void> {
  const reader = role ?? 'all';
  const settings = readSettings<Role | 'all'>(reader, flags);
  const { shutdownTimeoutMs } = settings;
  // For each reader, a facade may need a connection to another service.
  const connectionsMax = limitToDescriptors(settings.connectionsMax, role === 'facade' ? 2 : 1);
  if (role === 'messages') checkStore(flags);
  const credentials = openCredentials(reader, flags);
  checkExposure(settings.host, { ...settings, ...credentials.own });
  if (settings.stopOn === 'parent') stopWithParent();
  if (role === 'facade' && isWorkersPrimary(readSettings(role, flags).workers)) {
    return await serveWorkers(flags, credentials.reload !== undefined);
  }
  const logger = createLogger({ level: settings.logLevel, pid: workerProcessId() });
  let onFatal!: (error: MlogError) => void;
  const failed = new Promise<never>((_, reject) => {
    onFatal = ({ message, hint }) =>
      reject(new MlogError('failed_precondition', message, { hint }));
  });
  failed.catch(() => {});

  async function start(): Promise<Closeable> {
    const stopping = new AbortController();
    const context = {
      flags,
      connectionsMax,
      credentials,
      logger,
      onFatal,
      stopping: stopping.signal,
    };
    const started = await starters[reader](context);
    if (connectionsMax < settings.connectionsMax) {
      const limit = `At most ${connectionsMax} connections`;
      logger.warn(`${limit}, since the limit of open files (ulimit -n) allows no more.`);
    }
    if (workerProcessId() === undefined) warnOfOldNode(logger);
    logger.info({ version: manifest.version, ...started.facts, connectionsMax }, 'Ready');
    return {
      close() {
        // Requests that still wait for another service are then answered with an unknown outcome.
        setTimeout(() => stopping.abort(), shutdownTimeoutMs - finalRepliesMs).unref();
        return started.close();
      },
    };
  }
  const { reload } = credentials;
  const onHangup = reload && (() => reload(logger));
  await runUntilStopped({ start, failed, shutdownTimeoutMs, logger, onHangup });
  // The channel of a worker to its primary would keep the process alive.
  process.disconnect?.();
}

function checkStore(flags: Flags): void {
  if (flags['store'] === undefined || readSettings('messages', flags).follow) return;
  throw new MlogError('usage', '--store needs --follow.', {
    hint: 'A messages service keeps messages only when it follows a logging service, such as http://localhost:8881.',
  });
}

const starters: Readonly<Record<Role | 'all', (context: Context) => Promise<StartedService>>> = {
  async facade({ flags, connectionsMax, credentials, logger, stopping }) {
    const settings = { ...readSettings('facade', flags), connectionsMax, ...credentials.own };
    const reach = credentials.reachOf(settings.attemptTimeoutMs);
    const upstream = await openUpstream({ ...settings, reach }, logger, stopping);
    return await startFacade(settings, upstream, logger);
  },
  async logging({ flags, connectionsMax, credentials, logger, onFatal }) {
    const settings = { ...readSettings('logging', flags), connectionsMax, ...credentials.own };
    return await startLogging(settings, logger, onFatal);
  },
  async messages({ flags, connectionsMax, credentials, logger, onFatal }) {
    const settings = { ...readSettings('messages', flags), connectionsMax, ...credentials.own };
    const { follow, store, attemptTimeoutMs } = settings;
    const reach = credentials.reachOf(attemptTimeoutMs);
    const replica = follow && (await openReplica({ follow, store, reach }, logger, onFatal));
    return await startMessages(settings, logger, replica);
  },
  all: startAll,
};

async function startAll({ flags, connectionsMax, credentials, logger, onFatal }: Context) {
  const settings = { ...readSettings('all', flags), connectionsMax, ...credentials.own };
  const started: StartedService[] = [];
  try {
    const messages = await startMessages({ ...settings, port: settings.messagesPort }, logger);
    started.push(messages);
    const ownLogging = { ...settings, port: settings.loggingPort };
    const logging = await startLogging(ownLogging, logger, onFatal);
    started.push(logging);
    const upstream = upstreamInProcess(logging.journal, notImplementedText);
    const facade = await startFacade(settings, upstream, logger);
    started.push(facade);
    const { logging: at, grpc, ...kept } = logging.facts;
    const facts = {
      ...facade.facts,
      logging: at!,
      ...(grpc && { grpc }),
      ...messages.facts,
      ...kept,
    };
    return { url: facade.url, facts, close: () => closeInReverse(started) };
  } catch (error) {
    await closeInReverse(started);
    throw error;
  }
}
