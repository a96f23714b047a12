import type { Settings } from '../../config.ts';
import { openHttpClient, type HttpClient } from '../../http/client.ts';
import { statusError } from '../../http/problem.ts';
import { withBatch } from '../../journal/batch.ts';
import { withLimit } from '../../journal/limit.ts';
import { withRetry } from '../../journal/retry.ts';
import { withTail } from '../../journal/tail.ts';
import { closeInReverse, type Closeable } from '../../lifecycle.ts';
import type { Logger } from '../../observe/logger.ts';
import { openJournal } from '../../open-journal.ts';
import type { Source, Upstream } from './routes.ts';

/** Opens the services of a facade that runs apart from them. */
export async function openUpstream(
  settings: Settings,
  logger: Logger,
  stopping: AbortSignal,
): Promise<Upstream & Closeable> {
  const { attemptTimeoutMs } = settings;
  const remote = await openJournal(settings.logging, { attemptTimeoutMs });
  // Retrying is outside of batching: each message has its own attempts, two seconds apart, and is
  // not held up by what others wait for. The limit is outside of both and counts all of them.
  const journal = withLimit(
    withRetry(withBatch(withTail(remote), settings), {
      attemptsMax: settings.attemptsMax,
      retryDelayMs: settings.retryDelayMs,
      stopping,
      onFailedAttempt({ code, message }, attempt) {
        logger.warn({ code, attempt }, `Attempt failed: ${message}`);
      },
    }),
    settings,
  );
  const logging = openHttpClient(settings.logging, { timeoutMs: attemptTimeoutMs });
  const messages = openHttpClient(settings.messages, { timeoutMs: attemptTimeoutMs });
  return {
    journal,
    loggingList: listOf(logging, '/logging'),
    messagesList: listOf(messages, '/messages'),
    checks: { logging: () => checkReady(logging), messages: () => checkReady(messages) },
    close: () => closeInReverse([logging, messages, journal]),
  };
}

function listOf(client: HttpClient, path: string): Source {
  return async () => {
    const stream = await client.stream({ method: 'GET', path });
    if (stream.status === 200) return stream;
    stream.cancel();
    throw statusError(stream.status, client.url);
  };
}

/** A reference service has no health page and answers 404: it is there, that is all it can say. */
async function checkReady(client: HttpClient): Promise<void> {
  const { status } = await client.exchange({ method: 'GET', path: '/readyz' });
  if (status >= 500) throw statusError(status, client.url);
}
