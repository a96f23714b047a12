import pRetry from 'p-retry';
import { MlogError, toMlogError } from '../../errors.ts';
import { createGate } from '../gate.ts';
import type { Journal } from '../journal.ts';
import type { Observer } from '../observer.ts';
import { verbsOf } from '../verbs.ts';

/** How often and how far apart to try. */
export interface RetryPace {
  /** Attempts in all, the first one included. */
  readonly attemptsMax: number;
  /** The pause between the failure of one attempt and the start of the next. */
  readonly retryDelayMs: number;
  /** Aborting it ends the wait for a further attempt. */
  readonly stopping?: AbortSignal;
}

/** How to retry an action. */
export interface RetryOptions extends RetryPace {
  /** Hears of every failed attempt. */
  readonly onFailedAttempt?: (error: MlogError, attempt: number) => void;
}

/** How to retry appends, and who hears of every failed attempt. */
export type AppendRetryOptions = RetryPace & Pick<Observer, 'onFailedAppend'>;

/**
 * Repeats an append that failed with a retryable error. Appends are idempotent, so this is safe: a
 * message whose first reply was lost comes back as a `duplicate`, which is success. After the last
 * attempt it throws `outcome_unknown`. Reads are not retried: a reader resumes by itself.
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

/** Runs an idempotent action the way `withRetry` runs an append. */
export function retry<T>(
  action: () => Promise<T>,
  options: RetryOptions,
  onFailedAttempt = options.onFailedAttempt,
): Promise<T> {
  // What a retry needs is made after a failure. For each message it would take a third of the
  // facade's time.
  return action().catch((failure: unknown) =>
    retryFailed(failure, action, { ...options, ...(onFailedAttempt && { onFailedAttempt }) }),
  );
}

/** Repeats an action whose first attempt failed. */
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
    // p-retry reports no attempt once the signal is aborted, not even the first one.
    if (failures.length === 0) failures.push(toMlogError(firstFailure));
    // A refusal says nothing about an earlier attempt that got no reply.
    const isUnknown = failures.some(({ retryable }) => retryable);
    throw isUnknown ? unknownError(failures) : failures.at(-1);
  }
}

/**
 * Returns the error for messages whose outcome no attempt has told. Only attempts that sent them
 * are counted.
 */
function unknownError(failures: readonly MlogError[]): MlogError {
  const cause = failures.at(-1)!;
  const sentCount = failures.filter(({ isUnsent }) => !isUnsent).length;
  const attempts =
    sentCount > 0 ? toAttempts(sentCount) : `${toAttempts(failures.length)} to reach the service`;
  return new MlogError('outcome_unknown', `${attempts} failed. ${cause.message}`, {
    hint: 'Whether the message is stored is unknown; sending it again with this id is safe.',
    cause,
  });
}

function toAttempts(count: number): string {
  return count === 1 ? 'One attempt' : `${count} attempts`;
}
