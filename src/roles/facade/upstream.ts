import { isGrpcAddress } from '../../address.ts';
import type { Settings } from '../../config.ts';
import { MlogError, toMlogError } from '../../errors.ts';
import { openHttpClient, type HttpClient } from '../../http/client/client.ts';
import { mediaTypes } from '../../http/formats.ts';
import { isRedirect, statusError } from '../../http/client/problem.ts';
import { wholeJson } from '../../http/client/whole-json.ts';
import { withBatch } from '../../journal/wrap/batch.ts';
import type { Journal } from '../../journal/journal.ts';
import { withLimit } from '../../journal/wrap/limit.ts';
import { withRetry } from '../../journal/wrap/retry.ts';
import { withTail } from '../../journal/wrap/tail.ts';
import { closeInReverse, type Closeable } from '../../lifecycle.ts';
import type { Logger } from '../../observe/logger.ts';
import { openGrpcJournal, openJournal } from '../../open-journal.ts';
import { listOfServices, listOfTexts, type Source } from './lists.ts';
import type { Upstream } from './routes.ts';

/** Opens the services of a facade that runs apart from them. */
export async function openUpstream(
  settings: Settings,
  logger: Logger,
  stopping: AbortSignal,
): Promise<Upstream & Closeable> {
  const open = isGrpcAddress(settings.logging) ? openOverGrpc : openOverHttp;
  return await open(settings, (remote) => withOwnAttempts(remote, settings, logger, stopping));
}

/** Longer than a logging service takes under load, and short enough to go round lost replies. */
const overdueMs = 50;

/**
 * Retrying is outside of batching: each message has its own attempts, two seconds apart, and is not
 * held up by what others wait for. The limit is outside of both and counts all of them.
 */
function withOwnAttempts(
  remote: Journal,
  settings: Settings,
  logger: Logger,
  stopping: AbortSignal,
): Journal {
  const tailed = withTail(remote, ({ code, message }) => {
    logger.warn({ code }, `Following waits for the logging service: ${message}`);
  });
  const retried = withRetry(withBatch(tailed, { ...settings, overdueMs }), {
    attemptsMax: settings.attemptsMax,
    retryDelayMs: settings.retryDelayMs,
    stopping,
    onFailedAppend({ code, message }, attempt, messages) {
      const { length: count } = messages;
      const facts = { code, attempt, id: messages[0]?.id, ...(count > 1 && { count }) };
      logger.warn(facts, `Attempt failed: ${message}`);
    },
  });
  return withLimit(retried, settings);
}

type Wrap = (remote: Journal) => Journal;

async function openOverHttp(settings: Settings, wrap: Wrap): Promise<Upstream & Closeable> {
  const { attemptTimeoutMs } = settings;
  const journal = wrap(await openJournal(settings.logging, { attemptTimeoutMs }));
  const logging = openHttpClient(settings.logging, { timeoutMs: attemptTimeoutMs });
  const messages = openHttpClient(settings.messages, { timeoutMs: attemptTimeoutMs });
  return {
    journal,
    list: listOfServices(listOf(logging, '/logging'), listOf(messages, '/messages')),
    tellsStatus: false,
    tellsConflicts: false,
    checks: {
      logging: () => checkReady(logging, 'logging'),
      messages: () => checkReady(messages, 'messages'),
    },
    close: () => closeInReverse([logging, messages, journal]),
  };
}

async function openOverGrpc(settings: Settings, wrap: Wrap): Promise<Upstream & Closeable> {
  const remote = await openGrpcJournal(settings.logging, settings);
  const journal = wrap(remote);
  return {
    journal,
    list: listOfTexts(journal, () => remote.texts()),
    tellsStatus: true,
    tellsConflicts: false,
    checks: { logging: () => checkThere(journal) },
    close: () => journal.close(),
  };
}

function listOf(client: HttpClient, path: string): Source {
  return async () => {
    const stream = await client.stream({ method: 'GET', path });
    const isJson = stream.header('content-type').startsWith(mediaTypes.json);
    if (stream.status === 200) {
      return isJson ? { ...stream, chunks: wholeJson(stream.chunks, client.url) } : stream;
    }
    stream.cancel();
    throw statusError(stream);
  };
}

/** A reference service has no health page: it is ready if its list is there. */
async function checkReady(client: HttpClient, role: 'logging' | 'messages'): Promise<void> {
  const reply = await client.exchange({ method: 'GET', path: '/readyz' });
  if (reply.status >= 500 || isRedirect(reply)) throw statusError(reply);
  const found = reply.header('mlog-role');
  if (found !== '' && found !== role) {
    throw new MlogError('bad_gateway', `At ${client.url} is a ${found} service, not ${role}.`);
  }
  if (found !== '') return;
  const list = await client.exchange({ method: 'HEAD', path: `/${role}` });
  const isThere = list.status < 400 || list.status === 405;
  if (!isThere || isRedirect(list)) throw statusError(list);
}

/** A reference service does not say where it stands: it is there, that is all it can say. */
async function checkThere(journal: Journal): Promise<void> {
  try {
    await journal.head();
  } catch (error) {
    if (toMlogError(error).code !== 'unimplemented') throw error;
  }
}
