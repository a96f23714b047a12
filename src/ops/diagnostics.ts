import type { AppendResult } from '../journal/journal.ts';
import type { Observer } from '../journal/observer.ts';
import type { Message } from '../message.ts';
import type { Logger } from '../observe/logger.ts';

/**
 * A larger batch is logged in one line, because a line per message would cost more than the
 * message.
 */
const linesMaxCount = 4;

/** Longer texts are truncated in the diagnostics, never in the journal. */
const shownMaxLength = 200;

/**
 * Returns an observer that writes to the diagnostics, about messages in the words of the reference.
 */
export function createDiagnostics(logger: Logger): Observer {
  function tell({ id, status, seq }: AppendResult, txt: string): void {
    const shown = txt.length > shownMaxLength ? `${txt.slice(0, shownMaxLength)}…` : txt;
    if (status === 'logged') logger.info({ seq, id }, `Message: ${shown}`);
    else if (status === 'duplicate') logger.info(`Duplicate message detected: ${id}`);
    else logger.warn({ seq }, `Duplicate message detected: ${id}; its text is another one`);
  }

  function tellBatch(results: readonly AppendResult[]): void {
    const counts = { logged: 0, duplicate: 0, conflict: 0 };
    for (const { status } of results) counts[status] += 1;
    logger[counts.conflict > 0 ? 'warn' : 'info'](counts, `Messages: ${results.length}`);
  }

  return {
    onAppend(results: readonly AppendResult[], messages: readonly Message[]) {
      if (results.length > linesMaxCount) return tellBatch(results);
      for (const [index, result] of results.entries()) tell(result, messages[index]!.txt);
    },
    onFailedAppend({ code, message }, attempt, messages) {
      const { length: count } = messages;
      const facts = { code, attempt, id: messages[0]?.id, ...(count > 1 && { count }) };
      logger.warn(facts, `Attempt failed: ${message}`);
    },
    onOutage: ({ code, message }) => logger.warn({ code }, `Following was interrupted: ${message}`),
    onWarning: (warning) => logger.warn(warning),
    onNotice: (notice) => logger.info(notice),
  };
}
