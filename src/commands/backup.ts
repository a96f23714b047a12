import { resolve } from 'node:path';
import { readSettings } from '../config.ts';
import { MlogError } from '../errors.ts';
import { readEntries, readHead } from '../http/ndjson-client.ts';
import { findCopyEnd } from '../journal/copy.ts';
import type { Journal } from '../journal/journal.ts';
import { toVisible } from '../observe/visible.ts';
import { parseStorePath } from '../setting-kinds.ts';
import { openSqliteJournal } from '../store/sqlite.ts';
import { withFacade } from './facade-client.ts';
import { print, printJson } from './print.ts';

/**
 * Copies what the services hold into a store file while they go on: every message up to the newest
 * one of this moment. Into a file of an earlier backup only the new ones are copied.
 */
export async function backup(file: string, options: { readonly json?: boolean }): Promise<void> {
  const settings = readSettings('client', { ...options });
  const path = toPath(file);
  await withFacade(settings, async (client) => {
    const original: Pick<Journal, 'head' | 'read'> = {
      head: () => readHead(client, '/'),
      read: (range) => readEntries(client, '/', range),
    };
    const { lastSeq } = await original.head();
    const copy = await openSqliteJournal(path);
    try {
      const from = await findCopyEnd(original, copy);
      const pages = original.read({ ...from, limit: lastSeq - from.after });
      for await (const page of pages) await copy.copy(page, from.journal);
      const { firstSeq, lastSeq: copiedSeq } = await copy.head();
      const messages = copiedSeq - firstSeq + 1;
      const report = { path, firstSeq, lastSeq: copiedSeq, copied: copiedSeq - from.after };
      const line = `${messages} messages in ${path}, ${report.copied} of them new`;
      await (options.json ? printJson(report) : print(`${toVisible(line)}\n`));
    } finally {
      await copy.close();
    }
  });
}

function toPath(file: string): string {
  const path = file.startsWith('file:') ? parseStorePath(file) : file && resolve(file);
  if (path) return path;
  throw new MlogError('usage', `The file of the copy is ${JSON.stringify(file)}.`, {
    hint: 'It has to be a path, such as ./copy.db.',
  });
}
