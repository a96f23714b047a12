import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { resolve } from 'node:path';
import { readSettings } from '../config.ts';
import { MlogError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { readEntries, readHead } from '../http/ndjson-client.ts';
import type { Entry } from '../message.ts';
import { toVisible } from '../observe/visible.ts';
import { parseStorePath } from '../setting-kinds.ts';
import { openSqliteJournal, type SqliteJournal } from '../store/sqlite.ts';
import { withFacade } from './facade-client.ts';
import { print, printJson } from './print.ts';

/**
 * Copies what the services hold into a store file while they go on: every message up to the newest
 * one of this moment. Into a file of an earlier backup only the new ones are copied.
 */
export async function backup(file: string, options: { readonly json?: boolean }): Promise<void> {
  const settings = readSettings('client', { ...options });
  const path = toPath(file);
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
      const line = `${after.lastSeq} messages in ${path}, ${copied} of them new`;
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

/** The newest entry of an earlier backup has to be the same entry in the services. */
async function checkSameJournal(
  client: HttpClient,
  copy: SqliteJournal,
  copiedSeq: number,
  lastSeq: number,
): Promise<void> {
  if (copiedSeq === 0) return;
  const range = { after: copiedSeq - 1, limit: 1 };
  const copied = await firstOf(copy.read(range));
  const theirs = copiedSeq <= lastSeq ? await firstOf(readEntries(client, '/', range)) : undefined;
  if (!isDeepStrictEqual(copied, theirs)) {
    throw new MlogError('conflict', 'The file is a backup of another journal.', {
      hint: 'Give a new file; this one was left as it is.',
    });
  }
}

async function firstOf(pages: AsyncIterable<readonly Entry[]>): Promise<Entry | undefined> {
  for await (const [entry] of pages) return entry;
  return undefined;
}
