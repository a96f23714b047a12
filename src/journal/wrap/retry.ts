import pRetry from 'p-retry';
import { MlogError, toMlogError } from '../../errors.ts';
import { createGate } from '../gate.ts';
import type { Journal } from '../journal.ts';
import type { Observer } from '../observer.ts';
import { verbsOf } from '../verbs.ts';

/** How often and how far apart something is tried. */
export interface RetryPace {
  /** Attempts in all, the first one included. */
  readonly attemptsMax: number;
  /** From the failure of one attempt to the start of the next. */
  readonly retryDelayMs: number;
  /** Once aborted, nothing is waited for any more. */
  readonly stopping?: AbortSignal;
}

/** How an action is retried. */
export interface RetryOptions extends RetryPace {
  /** Hears of every attempt that failed. */
  readonly onFailedAttempt?: (error: MlogError, attempt: number) => void;
}

/** How appends are retried, and who hears of every attempt that failed. */
export type AppendRetryOptions = RetryPace & Pick<Observer, 'onFailedAppend'>;

/**
 * Tries an append again when it failed with a retryable error. That is safe because appends are
 * idempotent: a message whose first reply was lost comes back as a `duplicate`, which is success.
 * After the last attempt it throws `outcome_unknown`. Reading is not retried: whoever reads can
 * ask again without help.
 */
export function withRetry(journal: Journal, options: AppendRetryOptions): Journal {
  const gate = createGate();
  return {
    ...verbsOf(journal),
    append(messages) {
      const onFailedAttempt = (error: MlogError, attempt: number) =>
        options.onFailedAppend?.(error, attempt, messages);
      return gate.pass(() => retry(() => journal.append(messages), options, onFailedAttempt));
    },
    async close() {
      await gate.close();
      await journal.close();
    },
  };
}

/** Runs an idempotent action as `withRetry` runs an append. */
export function retry<T>(
  action: () => Promise<T>,
  options: RetryOptions,
  onFailedAttempt = options.onFailedAttempt,
): Promise<T> {
  // What retrying needs is made when something failed: for each message it was a third of the
  // facade's time.
  return action().catch((failure: unknown) =>
    retryFailed(failure, action, { ...options, ...(onFailedAttempt && { onFailedAttempt }) }),
  );
}

/** Runs an action again whose first attempt failed. */
async function retryFailed<T>(
  firstFailure: unknown,
  action: () => Promise<T>,
  { attemptsMax, retryDelayMs, onFailedAttempt, stopping }: RetryOptions,
): Promise<T> {
  const failures: MlogError[] = [];
  try {
    return await pRetry((attempt) => (attempt === 1 ? Promise.reject(firstFailure) : action()), {
      retries: attemptsMax - 1,
      factor: 1,
      minTimeout: retryDelayMs,
      shouldRetry: ({ error }) => toMlogError(error).retryable,
      ...(stopping && { signal: stopping }),
      onFailedAttempt({ error, attemptNumber }) {
        const failure = toMlogError(error);
        failures.push(failure);
        onFailedAttempt?.(failure, attemptNumber);
      },
    });
  } catch {
    // A process that stops hears of no attempt, the first one included.
    if (failures.length === 0) failures.push(toMlogError(firstFailure));
    // A refusal behind an attempt without a reply says nothing of what that one did.
    const isUnknown = failures.some(({ retryable }) => retryable);
    throw isUnknown ? unknownError(failures) : failures.at(-1);
  }
}

/**
 * The error for messages of which no attempt has told what became of them. Only those that were
 * sent are told as attempts to deliver them.
 */
function unknownError(failures: readonly MlogError[]): MlogError {
  const cause = failures.at(-1)!;
  const sentCount = failures.filter(({ isUnsent }) => !isUnsent).length;
  const attempts =
    sentCount > 0 ? toAttempts(sentCount) : `${toAttempts(failures.length)} to reach the service`;
  return new MlogError('outcome_unknown', `${attempts} failed. ${cause.message}`, {
    hint: 'Whether the message is stored is unknown; to send it again under this id is safe.',
    cause,
  });
}

function toAttempts(count: number): string {
  return count === 1 ? 'One attempt' : `${count} attempts`;
}
