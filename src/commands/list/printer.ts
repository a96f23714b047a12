import type { Entry } from '../../message.ts';
import { toVisible, toVisibleJson } from '../../observe/visible.ts';
import { print, printThrough } from '../print.ts';

/** What a list does with its entries. */
export interface EntryConsumer {
  /**
   * Returns false once no more entries are wanted. Stops between two entries if the signal is
   * aborted.
   */
  take(entries: readonly Entry[], stopping?: AbortSignal): Promise<boolean>;
}

/** Saves the position of the last entry that was passed on. */
export type KeepPosition = (seq: number) => void;

/** Formats an entry as `mlog list` prints it: its text, or the whole entry as JSON. */
export function toLine(entry: Entry, json?: boolean): string {
  return json ? toVisibleJson(`${JSON.stringify(entry)}\n`) : `${toVisible(entry.txt)}\n`;
}

/** Returns a consumer that prints entries and saves the position after each line is written. */
export function createEntryPrinter(
  { json }: { readonly json?: boolean },
  keep: KeepPosition | undefined,
): EntryConsumer {
  return {
    async take(entries) {
      if (!keep) return await print(entries.map((entry) => toLine(entry, json)).join(''));
      for (const entry of entries) {
        // A killed process loses what stdout has not taken.
        if (!(await printThrough(toLine(entry, json)))) return false;
        keep(entry.seq);
      }
      return true;
    },
  };
}
