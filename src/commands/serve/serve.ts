import manifest from '../../../package.json' with { type: 'json' };
import { readSettings, type Flags } from '../../config.ts';
import { limitToDescriptors } from '../../net/connection-limit.ts';
import { MlogError, toMlogError } from '../../errors.ts';
import {
  closeInReverse,
  runUntilStopped,
  stopWithParent,
  type Closeable,
  type StartedService,
} from '../../lifecycle.ts';
import { createLogger, type Logger } from '../../observe/logger.ts';
import { checkExposure } from '../../security/access.ts';
import { openTokens, type TokenSource } from '../../security/token-source.ts';
import { openOwnToken } from '../reach.ts';
import { startFacade } from '../../roles/facade/start.ts';
import { openUpstream, upstreamInProcess } from '../../roles/facade/upstream.ts';
import { startLogging } from '../../roles/logging/start.ts';
import { notImplementedText } from '../../roles/messages/service.ts';
import { openReplica, startMessages } from '../../roles/messages/start.ts';
import type { Role } from '../../setting.ts';
import { isWorkersPrimary, serveWorkers, workerProcessId } from './workers.ts';

/** What a role gets besides its settings. */
interface Context {
  readonly flags: Flags;
  /** The limit of connections, lowered to what this process may open. */
  readonly connectionsMax: number;
  readonly tokens: TokenSource | undefined;
  /** The token for the services behind this one, if it is another. */
  readonly upstreamTokens: TokenSource | undefined;
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
  const tokens = openTokens(settings);
  const upstreamTokens = openUpstreamTokens(role, flags);
  checkExposure(settings.host, { ...settings, tokens });
  if (settings.stopOn === 'parent') stopWithParent();
  if (role === 'facade' && isWorkersPrimary(readSettings(role, flags).workers)) {
    return await serveWorkers(flags);
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
      tokens,
      upstreamTokens,
      logger,
      onFatal,
      stopping: stopping.signal,
    };
    const started = await starters[reader](context);
    if (connectionsMax < settings.connectionsMax) {
      const limit = `At most ${connectionsMax} connections`;
      logger.warn(`${limit}, since the limit of open files (ulimit -n) allows no more.`);
    }
    logger.info({ version: manifest.version, ...started.facts, connectionsMax }, 'Ready');
    return {
      close() {
        // Requests that still wait for another service are then answered with an unknown outcome.
        setTimeout(() => stopping.abort(), shutdownTimeoutMs - finalRepliesMs).unref();
        return started.close();
      },
    };
  }
  const reloads = [tokens?.reload, upstreamTokens?.reload].filter((one) => one !== undefined);
  const reloadAll = () => reloads.forEach((reload) => reloadTokens(reload, logger));
  const onHangup = reloads.length > 0 ? reloadAll : undefined;
  await runUntilStopped({ start, failed, shutdownTimeoutMs, logger, onHangup });
  // The channel of a worker to its primary would keep the process alive.
  process.disconnect?.();
}

function reloadTokens(reload: () => void, logger: Logger): void {
  try {
    reload();
    logger.info('The tokens were read again');
  } catch (error) {
    logger.error(`${toMlogError(error).message} The tokens from before still hold.`);
  }
}

function checkStore(flags: Flags): void {
  if (flags['store'] === undefined || readSettings('messages', flags).follow) return;
  throw new MlogError('usage', '--store needs --follow.', {
    hint: 'A messages service keeps messages only when it follows a logging service, such as http://localhost:8881.',
  });
}

/** Opens the token for the services behind a role, if it has a file of its own. */
function openUpstreamTokens(role: Role | undefined, flags: Flags): TokenSource | undefined {
  if (role !== 'facade' && role !== 'messages') return undefined;
  return openOwnToken({ tokenFile: readSettings(role, flags).upstreamTokenFile, token: undefined });
}

const starters: Readonly<Record<Role | 'all', (context: Context) => Promise<StartedService>>> = {
  async facade({ flags, connectionsMax, tokens, upstreamTokens, logger, stopping }) {
    const settings = { ...readSettings('facade', flags), connectionsMax, tokens };
    const below = { ...settings, token: (upstreamTokens ?? tokens)?.own };
    return await startFacade(settings, await openUpstream(below, logger, stopping), logger);
  },
  async logging({ flags, connectionsMax, tokens, logger, onFatal }) {
    const settings = { ...readSettings('logging', flags), connectionsMax, tokens };
    return await startLogging(settings, logger, onFatal);
  },
  async messages({ flags, connectionsMax, tokens, upstreamTokens, logger, onFatal }) {
    const settings = { ...readSettings('messages', flags), connectionsMax, tokens };
    const { follow } = settings;
    const token = (upstreamTokens ?? tokens)?.own;
    const replica = follow && (await openReplica({ ...settings, follow, token }, logger, onFatal));
    return await startMessages(settings, logger, replica);
  },
  all: startAll,
};

async function startAll({ flags, connectionsMax, tokens, logger, onFatal }: Context) {
  const settings = { ...readSettings('all', flags), connectionsMax, tokens };
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
