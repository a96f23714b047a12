import { existsSync } from 'node:fs';
import { readSettings } from '../config.ts';
import { MlogError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { toJsonLine } from '../http/formats.ts';
import { readEntries, readHead } from '../http/ndjson-client.ts';
import { pathOf } from '../open-journal.ts';
import { openSqliteJournal, type SqliteJournal } from '../store/sqlite.ts';
import { withFacade } from './facade-client.ts';
import { print } from './print.ts';

/**
 * Copies what the services hold into a store file while they go on: every message up to the newest
 * one of this moment. Into a file of an earlier backup only the new ones are copied.
 */
export async function backup(file: string, options: { readonly json?: boolean }): Promise<void> {
  const settings = readSettings('client', { ...options });
  const path = pathOf(file.startsWith('file:') ? file : `file:${file}`);
  const isNew = !existsSync(path);
  await withFacade(settings, async (client) => {
    const { lastSeq } = await readHead(client, '/');
    const copy = await openSqliteJournal(path);
    try {
      const before = await copy.head();
      if (!isNew) await checkSameJournal(client, copy, before.lastSeq, lastSeq);
      const range = { after: before.lastSeq, limit: lastSeq - before.lastSeq };
      for await (const page of readEntries(client, '/', range)) await copy.copy(page);
      const after = await copy.head();
      const copied = after.lastSeq - before.lastSeq;
      const report = { path, lastSeq: after.lastSeq, copied };
      const line = `${after.lastSeq} messages in ${path}, ${copied} of them new\n`;
      await print(options.json ? toJsonLine(report) : line);
    } finally {
      await copy.close();
    }
  });
}

/** The newest entry of an earlier backup has to be the same entry in the services. */
async function checkSameJournal(
  client: HttpClient,
  copy: SqliteJournal,
  copiedSeq: number,
  lastSeq: number,
): Promise<void> {
  if (copiedSeq === 0) return;
  const range = { after: copiedSeq - 1, limit: 1 };
  const same = copiedSeq <= lastSeq && (await idsOf(copy.read(range)))[0];
  if (same !== (await idsOf(readEntries(client, '/', range)))[0]) {
    throw new MlogError('conflict', 'The file is a backup of another journal.', {
      hint: 'Give a new file; this one was left as it is.',
    });
  }
}

async function idsOf(pages: AsyncIterable<readonly { id: string }[]>): Promise<string[]> {
  const ids: string[] = [];
  for await (const page of pages) ids.push(...page.map(({ id }) => id));
  return ids;
}
