import pRetry from 'p-retry';
import { MlogError, toMlogError } from '../errors.ts';
import { createGate } from './gate.ts';
import type { Journal } from './journal.ts';

/** How often and how far apart an append is tried. */
export interface RetryOptions {
  /** Attempts in all, the first one included. */
  readonly attemptsMax: number;
  /** From the failure of one attempt to the start of the next. */
  readonly retryDelayMs: number;
  /** Hears of every attempt that failed. */
  readonly onFailedAttempt?: (error: MlogError, attempt: number) => void;
  /** Once aborted, nothing is waited for any more. */
  readonly stopping?: AbortSignal;
}

/**
 * Tries an append again when it failed with a retryable error. That is safe because appends are
 * idempotent: a message whose first reply was lost comes back as a `duplicate`, which is success.
 * After the last attempt it throws `outcome_unknown`. Reading is not retried: whoever reads can
 * ask again without help.
 */
export function withRetry(journal: Journal, options: RetryOptions): Journal {
  const gate = createGate();
  return {
    ...journal,
    append: (messages) => gate.pass(() => retry(() => journal.append(messages), options)),
    async close() {
      await gate.close();
      await journal.close();
    },
  };
}

/** Runs an idempotent action as `withRetry` runs an append. */
export function retry<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  const first = action();
  // What retrying needs is made when something failed: for each message it was a third of the
  // facade's time.
  return first.catch(() => retryFailed(first, action, options));
}

/** Runs an action again whose first attempt failed. */
async function retryFailed<T>(
  first: Promise<T>,
  action: () => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { attemptsMax, retryDelayMs, onFailedAttempt, stopping } = options;
  let lost: MlogError | undefined;
  try {
    return await pRetry((attempt) => (attempt === 1 ? first : action()), {
      retries: attemptsMax - 1,
      factor: 1,
      minTimeout: retryDelayMs,
      shouldRetry: ({ error }) => toMlogError(error).retryable,
      ...(stopping && { signal: stopping }),
      onFailedAttempt({ error, attemptNumber }) {
        const failure = toMlogError(error);
        if (failure.retryable) lost = failure;
        onFailedAttempt?.(failure, attemptNumber);
      },
    });
  } catch (error) {
    if (stopping?.aborted) throw unknownError(lost ?? stoppedError(), 1);
    // A refusal behind an attempt without a reply says nothing of what that one did.
    throw lost ? unknownError(lost, attemptsMax) : error;
  }
}

function stoppedError(): MlogError {
  return new MlogError('cancelled', 'The service stopped before it had an answer.');
}

function unknownError(last: MlogError, attemptsMax: number): MlogError {
  const attempts = attemptsMax === 1 ? 'The attempt' : `${attemptsMax} attempts`;
  return new MlogError('outcome_unknown', `${attempts} failed. ${last.message}`, {
    hint: 'Whether the message is stored is unknown; to send it again under this id is safe.',
    cause: last,
  });
}
