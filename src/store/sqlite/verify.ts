import { isUtf8 } from 'node:buffer';
import { existsSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { MlogError } from '../../errors.ts';
import { openDatabase, openImmutable, resultCode, resultCodes, type Database } from './driver.ts';
import { busyError, toOpenError, unreadableError } from './errors.ts';
import { findLostLog, inspectStore, isLogThere } from './inspect.ts';
import { realPathOf } from './path.ts';
import { sumOf, type Row } from './pages.ts';

/** The result of checking a store. */
export interface VerifyReport {
  readonly messages: number;
  /** 0 in an empty store, as is `lastSeq`. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** What is wrong, one sentence each; none in a whole store. */
  readonly problems: readonly string[];
}

/** Further problems are only counted. */
const problemsMaxCount = 20;

/**
 * Checks every page and every entry of a store that no service has open: the file is consistent,
 * `seq` has no gap, each id occurs once, and each entry has the checksum that it was stored with.
 * Throws `failed_precondition` if the store cannot be opened at all.
 */
export async function verifyStoreFile(path: string): Promise<VerifyReport> {
  const { database, warning, check } = await openToVerify(path);
  const problems = warning === undefined ? [] : [warning];
  const counted = { messages: 0, firstSeq: 0, lastSeq: 0 };
  try {
    for (const problem of checkPages(database)) problems.push(problem);
    for (const problem of checkEntries(database, counted)) problems.push(problem);
  } catch (error) {
    problems.push(`It cannot be read behind entry ${counted.lastSeq}: ${String(error)}.`);
  }
  check();
  database.close();
  return { ...counted, problems: problems.slice(0, problemsMaxCount) };
}

interface OpenedToVerify {
  readonly database: Database;
  readonly warning: string | undefined;
  /** Throws `failed_precondition` if another process has used the store meanwhile. */
  readonly check: () => void;
}

/**
 * Opens a store read-only. With a log, this takes the lock, so that no service can start meanwhile.
 * Without a log, SQLite would create files beside the store, so the file is read as it is, and the
 * result counts only if no process has opened the store until then.
 */
async function openToVerify(path: string): Promise<OpenedToVerify> {
  try {
    path = await realPathOf(path);
    const before = fingerprintOf(path);
    const inspection = await inspectStore(path);
    const { hasLog } = inspection;
    const database = hasLog
      ? await openDatabase(path, { readOnly: true })
      : await openImmutable(path);
    const check = () => {
      if (hasLog || isDeepStrictEqual(fingerprintOf(path), before)) return;
      throw busyError(path);
    };
    return { database, warning: findLostLog(path, inspection), check };
  } catch (error) {
    throw toVerifyError(error, path);
  }
}

/** Returns what changes when a process opens the store, writes to it, or replaces it. */
function fingerprintOf(path: string): unknown {
  const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
  return { dev, ino, size, mtimeNs, hasLog: isLogThere(path) };
}

function toVerifyError(error: unknown, path: string): MlogError {
  const code = resultCode(error);
  // This is no damage: SQLite needs a file beside the store to read a log.
  if (code === resultCodes.full || code === resultCodes.ioError)
    return unreadableError(error, path);
  if (code === resultCodes.cannotOpen && existsSync(`${path}-wal`)) return mediaError(error, path);
  return toOpenError(error, path);
}

function mediaError(cause: unknown, path: string): MlogError {
  return new MlogError(
    'failed_precondition',
    `The log ${path}-wal cannot be read where nothing can be written beside it.`,
    {
      hint: 'Copy the store and its -wal file to a writable folder, and check them there.',
      cause,
    },
  );
}

function* checkPages(database: Database): Generator<string> {
  const rows = database.prepare(`PRAGMA integrity_check(${problemsMaxCount})`).all();
  for (const { integrity_check: said } of rows as { integrity_check: string }[]) {
    if (said !== 'ok') yield `SQLite: ${said}.`;
  }
  const repeated = database.prepare('SELECT 1 FROM entry GROUP BY id HAVING count(*) > 1 LIMIT 1');
  if (repeated.get()) yield 'An id is there more than once.';
}

function* checkEntries(
  database: Database,
  counted: { messages: number; firstSeq: number; lastSeq: number },
): Generator<string> {
  const rows = database.prepare('SELECT * FROM entry ORDER BY seq').iterate();
  for (const { seq, id, txt, sum } of rows as IterableIterator<Row>) {
    counted.messages += 1;
    if (counted.messages === 1) counted.firstSeq = seq;
    else if (seq !== counted.lastSeq + 1) {
      yield `Entry ${seq} follows entry ${counted.lastSeq}: there is a gap.`;
    }
    counted.lastSeq = seq;
    if (sumOf(seq, id, txt) !== sum || !isUtf8(id) || !isUtf8(txt)) {
      yield `Entry ${seq} is not what was stored: its checksum differs.`;
    }
  }
}
