import type { HttpAddress, ServiceAddress } from '../../address.ts';
import { openHttpMessages } from '../../http/client/service.ts';
import type { Journal } from '../../journal/journal.ts';
import type { RemoteLogging } from '../../journal/remote/logging.ts';
import { listTexts, oneText } from '../../journal/texts.ts';
import { withBatch, type BatchOptions } from '../../journal/wrap/batch.ts';
import { failAsGateway, withGateway } from '../../journal/wrap/gateway.ts';
import { withLimit, type QueueLimits } from '../../journal/wrap/limit.ts';
import { withRetry } from '../../journal/wrap/retry.ts';
import { withTail } from '../../journal/wrap/tail.ts';
import { closeInReverse, type Closeable } from '../../lifecycle.ts';
import type { Reach } from '../../net/reach.ts';
import type { Logger } from '../../observe/logger.ts';
import { createDiagnostics } from '../../ops/diagnostics.ts';
import type { Check } from '../../ops/facts.ts';
import { openLogging } from '../../open-journal.ts';
import { listOfServices, type Source } from './lists.ts';

/** The services behind a facade. */
export interface Upstream extends Closeable {
  readonly journal: Journal;
  /** The plain list, as the reference writes it with this wire to the logging service. */
  readonly list: Source;
  /** A form is answered with the status of its message, as the reference does over gRPC. */
  readonly tellsStatus: boolean;
  /** The diagnostics of this process have a conflict already when the journal reports it. */
  readonly reportsConflicts: boolean;
  readonly checks: Readonly<Record<string, Check>>;
  /** What the start line says about them, by name. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Where the services behind a facade are, and how to deliver messages to them. */
export interface UpstreamOptions extends QueueLimits, Omit<BatchOptions, 'overdueMs'> {
  readonly logging: ServiceAddress;
  readonly messages: HttpAddress;
  readonly attemptsMax: number;
  readonly retryDelayMs: number;
  /** How to reach both. */
  readonly reach: Reach;
}

/** Opens the services of a facade that runs apart from them. They are connected to on first use. */
export async function openUpstream(
  options: UpstreamOptions,
  logger: Logger,
  stopping: AbortSignal,
): Promise<Upstream> {
  const { reach } = options;
  const logging = await openLogging(options.logging, reach);
  const journal = withOwnAttempts(logging.journal, options, logger, stopping);
  const facts = { 'logging at': options.logging.text };
  // Over gRPC, the facade of the reference has no messages service.
  if (logging.tellsStatus) return toUpstream(logging, journal, facts);
  const messages = openHttpMessages(options.messages, reach);
  const upstream = toUpstream(logging, journal, facts);
  return {
    ...upstream,
    list: listOfServices(upstream.list, () => messages.list().catch(failAsGateway)),
    checks: { ...upstream.checks, messages: messages.check },
    facts: { ...facts, 'messages at': options.messages.text },
    close: () => closeInReverse([messages, journal]),
  };
}

function toUpstream(
  { list, check, tellsStatus }: RemoteLogging,
  journal: Journal,
  facts: Upstream['facts'],
): Upstream {
  const checks = { logging: check };
  const close = () => journal.close();
  const ownList = () => list().catch(failAsGateway);
  return { journal, list: ownList, tellsStatus, reportsConflicts: false, checks, facts, close };
}

/**
 * Returns the upstream of a facade that shares its process with the logging service, which keeps
 * its journal open. `messagesText` is the reply of the messages service.
 */
export function upstreamInProcess(journal: Journal, messagesText: string): Upstream {
  return {
    journal,
    list: listOfServices(
      () => listTexts(journal),
      async () => oneText(messagesText),
    ),
    tellsStatus: false,
    reportsConflicts: true,
    checks: { logging: () => journal.head() },
    facts: {},
    close: async () => {},
  };
}

/**
 * Exceeds the reply time of a logging service under load, and is short enough to bypass lost
 * replies.
 */
const overdueMs = 50;

/**
 * Retry is outside of batch: each message has its own attempts, two seconds apart, and does not
 * wait for others. Limit is outside of both and counts everything.
 */
function withOwnAttempts(
  remote: Journal,
  options: UpstreamOptions,
  logger: Logger,
  stopping: AbortSignal,
): Journal {
  const observer = createDiagnostics(logger);
  const batched = withBatch(withTail(withGateway(remote), observer), { ...options, overdueMs });
  const { attemptsMax, retryDelayMs } = options;
  const retried = withRetry(batched, { attemptsMax, retryDelayMs, stopping, ...observer });
  return withLimit(retried, options);
}
