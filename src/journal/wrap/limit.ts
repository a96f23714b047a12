import { MlogError } from '../../errors.ts';
import { byteCount } from '../../message.ts';
import type { Journal } from '../journal.ts';
import { verbsOf } from '../verbs.ts';

/** The bounds of what is in flight, including what waits and what is retried. */
export interface QueueLimits {
  readonly queueMaxCount: number;
  readonly queueMaxBytes: number;
}

/**
 * Bounds what is in flight towards a journal. An append beyond the bounds throws `overloaded` at
 * once, before any of it is stored. With nothing else in flight, an append of any size is taken.
 */
export function withLimit(journal: Journal, limits: QueueLimits): Journal {
  let count = 0;
  let bytes = 0;
  return {
    ...verbsOf(journal),
    append(messages) {
      const size = byteCount(messages);
      const fits =
        count + messages.length <= limits.queueMaxCount && bytes + size <= limits.queueMaxBytes;
      if (count > 0 && !fits) return Promise.reject(overloadedError(count));
      count += messages.length;
      bytes += size;
      const release = () => {
        count -= messages.length;
        bytes -= size;
      };
      // Not an async function, which would add a promise for each message.
      const appended = journal.append(messages);
      appended.then(release, release);
      return appended;
    },
  };
}

function overloadedError(count: number): MlogError {
  return new MlogError(
    'overloaded',
    `${count} messages are in flight; this one was not accepted.`,
    {
      hint: 'Nothing of it was stored. Send it again in a moment.',
    },
  );
}
