import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseAddress } from '../address.ts';
import { readSettings } from '../config.ts';
import { MlogError, toMlogError } from '../errors.ts';
import { createNdjsonJournal } from '../http/client/ndjson.ts';
import type { Journal } from '../journal/journal.ts';
import { endOfCopy } from '../journal/place.ts';
import { resumed } from '../journal/resume.ts';
import { toVisible } from '../observe/visible.ts';
import { checkNoLoneLog, syncFolder } from '../store/sqlite/new-file.ts';
import { openSqliteJournal } from '../store/sqlite/sqlite.ts';
import { resumePace, withFacade } from './facade-client.ts';
import { print, printJson } from './print.ts';

/**
 * Copies the messages of running services into a store file, up to the newest message at this
 * moment. Into the file of an earlier backup it copies only new messages.
 */
export async function backup(file: string, options: { readonly json?: boolean }): Promise<void> {
  const settings = readSettings('client', { ...options });
  const path = toPath(file);
  await withFacade(settings, async (client) => {
    // A first copy gets its name once it is whole, so an interrupted one never looks like a backup.
    const isFirst = !existsSync(path);
    if (isFirst) checkNoLoneLog(path);
    const draft = isFirst ? `${path}.incomplete` : path;
    const report = await copyInto(draft, createNdjsonJournal(client, '/'));
    if (isFirst) {
      await rename(draft, path);
      await syncFolder(dirname(path));
    }
    const messages = report.lastSeq - report.firstSeq + 1;
    const line = `${messages} messages in ${path}, ${report.copied} of them new`;
    await (options.json ? printJson({ path, ...report }) : print(`${toVisible(line)}\n`));
  });
}

async function copyInto(
  path: string,
  original: Journal,
): Promise<{ firstSeq: number; lastSeq: number; copied: number }> {
  const copy = await openSqliteJournal(path);
  try {
    const place = await endOfCopy(copy);
    const begin = await place.confirm(original);
    const from = place.seq;
    const { journal } = begin;
    // Records the original even if its journal is still empty.
    await copy.copy([], journal);
    const open = () =>
      original.read({ after: place.seq, limit: begin.lastSeq - place.seq, journal });
    const how = { journal: original, head: begin, open, ...resumePace };
    for await (const page of resumed(place, how)) await copy.copy(page, journal);
    const { firstSeq, lastSeq } = await copy.head();
    await copy.close();
    // What does not fit into the file stays in its log.
    if (existsSync(`${path}-wal`)) throw fullError(path);
    return { firstSeq, lastSeq, copied: lastSeq - from };
  } catch (error) {
    throw toMlogError(error).code === 'storage_full' ? fullError(path, error) : error;
  } finally {
    await copy.close();
  }
}

function fullError(path: string, cause?: unknown): MlogError {
  return new MlogError('failed_precondition', `The disk is full; the copy ${path} is not whole.`, {
    hint: 'Free some space, then run the same command again: it copies what is missing.',
    cause,
  });
}

function toPath(file: string): string {
  const path = file.startsWith('file:')
    ? parseAddress(file, ['file'])?.path
    : file && resolve(file);
  if (path) return path;
  throw new MlogError('usage', `The path of the copy is ${JSON.stringify(file)}.`, {
    hint: 'It must be a path, such as ./copy.db.',
  });
}
