import type { AppendResult, Journal } from '../../journal/journal.ts';
import type { Message } from '../../message.ts';
import type { Logger } from '../../observe/logger.ts';

/** Larger batches are told in one line: a line a message would cost more than the message. */
const linesMaxCount = 4;

/** Longer texts are cut in the diagnostics, never in the journal. */
const shownMaxLength = 200;

/** Tells the diagnostics what becomes of messages, in the words of the reference. */
export function withDiagnostics(journal: Journal, logger: Logger): Journal {
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

  function tellAll(results: readonly AppendResult[], messages: readonly Message[]): void {
    if (results.length > linesMaxCount) return tellBatch(results);
    for (const [index, result] of results.entries()) tell(result, messages[index]!.txt);
  }

  return {
    ...journal,
    async append(messages) {
      const results = await journal.append(messages);
      tellAll(results, messages);
      return results;
    },
  };
}
