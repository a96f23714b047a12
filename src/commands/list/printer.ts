import type { Entry } from '../../message.ts';
import { toVisible, toVisibleJson } from '../../observe/visible.ts';
import { print, printThrough } from '../print.ts';

/** What becomes of the entries that a command lists. */
export interface EntryConsumer {
  /** Gives false once no more is wanted. Stops between two entries when the signal is aborted. */
  take(entries: readonly Entry[], stopping?: AbortSignal): Promise<boolean>;
}

/** Keeps the position of the last entry that was handed on. */
export type KeepPosition = (seq: number) => void;

/** Writes an entry as the line that `mlog list` prints: its text, or all of it as JSON. */
export function toLine(entry: Entry, json?: boolean): string {
  return json ? toVisibleJson(`${JSON.stringify(entry)}\n`) : `${toVisible(entry.txt)}\n`;
}

/** Makes a consumer that prints entries, and keeps the position of each line after it is written. */
export function createEntryPrinter(
  { json }: { readonly json?: boolean },
  keep: KeepPosition | undefined,
): EntryConsumer {
  return {
    async take(entries) {
      if (!keep) return await print(entries.map((entry) => toLine(entry, json)).join(''));
      for (const entry of entries) {
        // A process that is killed loses what stdout has not taken from it.
        if (!(await printThrough(toLine(entry, json)))) return false;
        keep(entry.seq);
      }
      return true;
    },
  };
}
