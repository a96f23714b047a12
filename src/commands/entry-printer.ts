import type { Entry } from '../message.ts';
import { toVisible, toVisibleJson } from '../observe/visible.ts';
import type { Cursor } from './cursor.ts';
import { print, printThrough } from './print.ts';

/** Prints entries, a line each. */
export interface EntryPrinter {
  /** Gives false once the reader of stdout is gone. */
  print(entries: readonly Entry[]): Promise<boolean>;
}

/** Makes a printer of texts or of JSON, which keeps the position of each line after it is written. */
export function createEntryPrinter(
  { json }: { readonly json?: boolean },
  cursor: Cursor | undefined,
): EntryPrinter {
  const toLine = (entry: Entry) =>
    json ? toVisibleJson(`${JSON.stringify(entry)}\n`) : `${toVisible(entry.txt)}\n`;
  return {
    async print(entries) {
      if (!cursor) return await print(entries.map(toLine).join(''));
      for (const entry of entries) {
        // A process that is killed loses what stdout has not taken from it.
        if (!(await printThrough(toLine(entry)))) return false;
        cursor.save(entry.seq);
      }
      return true;
    },
  };
}
