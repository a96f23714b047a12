import { MlogError } from '../../errors.ts';
import { byteCount } from '../../message.ts';
import type { Journal } from '../journal.ts';
import { verbsOf } from '../verbs.ts';

/** How much may be under way at a time, waiting and retrying included. */
export interface QueueLimits {
  readonly queueMaxCount: number;
  readonly queueMaxBytes: number;
}

/**
 * Bounds what is under way towards a journal: an append beyond the bounds throws `overloaded` at
 * once, before anything of it is stored, rather than wait. A lone append is taken at any size.
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
      // Not an async function: its promise would be one more for each message.
      const appended = journal.append(messages);
      appended.then(release, release);
      return appended;
    },
  };
}

function overloadedError(count: number): MlogError {
  return new MlogError('overloaded', `${count} messages are waiting; this one was not taken.`, {
    hint: 'Nothing of it was stored. Send it again in a moment.',
  });
}
