import { existsSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MlogError } from '../errors.ts';
import { createStoreFile, removeDrafts, syncFile, syncFolder } from './sqlite-create.ts';
import { damagedError, formatError, toOpenError, unreadableError } from './sqlite-errors.ts';
import { openDatabase, resultCode, resultCodes, type Database } from './sqlite-driver.ts';
import { realPathOf } from './sqlite-path.ts';
import { applicationId, schemaVersion, upgradeSchema } from './sqlite-schema.ts';

/** A store file that is open. */
export interface OpenedStore {
  readonly database: Database;
  /** What the person should know of the file, though it can be used. */
  readonly warning: string | undefined;
  /** The log could not be begun, for the disk is full: `checkpoint` has to come before a write. */
  readonly needsCheckpoint: boolean;
}

/**
 * Opens the store at a path, making it and its folder where there is none yet, and keeps every
 * other process out until it is closed. Throws `failed_precondition`, naming the path and what to
 * do, where the path cannot be used or what lies there is not a whole store.
 */
export async function openStoreFile(path: string): Promise<OpenedStore> {
  try {
    path = await realPathOf(path);
    if (!existsSync(path)) await createStoreFile(path);
    await checkPresence(path);
    const hasLog = existsSync(`${path}-wal`);
    // After a killed process the write-ahead log may hold a commit that never reached the disk.
    // SQLite would read it back, a repeat of its message would be answered as a durable duplicate,
    // and a power cut could still take it away. So it is synced before it is read.
    if (hasLog) await syncFile(`${path}-wal`);
    if (hasLog) await checkLog(path);
    const database = await openDatabase(path);
    // Exclusive before anything else: one owner a store, and no shared-memory file beside it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    checkOpened(database, path);
    const warning = hasLog ? undefined : findLostLog(database, path);
    configure(database);
    upgradeSchema(database);
    await removeDrafts(path).catch(() => {});
    const needsCheckpoint = !unlessFull(() => checkpoint(database));
    // For the name of the new log. SQLite does it too, but goes on when it fails.
    await syncFolder(dirname(path));
    return { database, warning, needsCheckpoint };
  } catch (error) {
    throw toOpenError(error, path);
  }
}

/** Opens a store that is there for reading alone; throws as `openStoreFile` does. */
export async function openStoreToVerify(
  path: string,
): Promise<Omit<OpenedStore, 'needsCheckpoint'>> {
  try {
    path = await realPathOf(path);
    await checkPresence(path);
    const hasLog = existsSync(`${path}-wal`);
    const database = await openDatabase(path, { readOnly: true });
    checkOpened(database, path);
    return { database, warning: hasLog ? undefined : findLostLog(database, path) };
  } catch (error) {
    // Not found damaged: SQLite reads with the help of a file beside the store.
    const isSpace = [resultCodes.full, resultCodes.ioError].some(
      (one) => one === resultCode(error),
    );
    if (isSpace) throw unreadableError(error, path);
    throw toOpenError(error, path);
  }
}

async function checkPresence(path: string): Promise<void> {
  const found = await stat(path);
  if (!found.isFile()) {
    throw new MlogError('failed_precondition', `The store ${path} is not a file.`, {
      hint: 'Give --store a file, such as file:./mlog.db.',
    });
  }
  if (found.size === 0) throw damagedError(path, 'it is empty');
  await checkHeader(path);
}

/**
 * Reads in the header of a SQLite file (https://sqlite.org/fileformat.html) whose it is, before
 * SQLite opens it: closing it, SQLite would merge a foreign file's log into it.
 */
async function checkHeader(path: string): Promise<void> {
  const handle = await open(path);
  const header = Buffer.alloc(100);
  try {
    await handle.read(header, 0, header.length, 0);
  } finally {
    await handle.close();
  }
  if (!header.toString('latin1').startsWith('SQLite format 3\0')) {
    throw damagedError(path, 'it is not a SQLite file');
  }
  checkFormat(header.readUInt32BE(68), header.readUInt32BE(60), path);
}

function checkFormat(application: number, version: number, path: string): void {
  if (application !== applicationId) {
    throw new MlogError('failed_precondition', `The file ${path} is not a store of mlog.`, {
      hint: 'Give --store another path; this file was left as it is.',
    });
  }
  if (version < 1 || version > schemaVersion) throw formatError(path, version);
}

/**
 * Looks for a later format in the log, and whether its entries can be found, by a connection that
 * leaves file and log as they are: the one that writes merges them even where opening fails. The
 * overflow is how a statement can say no without being prepared: the driver ends prepared ones late.
 */
async function checkLog(path: string): Promise<void> {
  const database = await openDatabase(path, { readOnly: true });
  try {
    database.exec(
      `SELECT iif((SELECT user_version FROM pragma_user_version) BETWEEN 1 AND ${schemaVersion}, 0,
                  abs(-9223372036854775808))`,
    );
    database.exec('SELECT (SELECT min(seq) FROM entry), (SELECT max(seq) FROM entry)');
  } catch (error) {
    throw resultCode(error) === resultCodes.error ? formatError(path, 'another') : error;
  } finally {
    database.close();
    await rm(`${path}-shm`, { force: true });
  }
}

/** Looks again through SQLite, which also reads what is in the log. */
function checkOpened(database: Database, path: string): void {
  checkFormat(pragma(database, 'application_id'), pragma(database, 'user_version'), path);
}

function configure(database: Database): void {
  database.exec('PRAGMA journal_mode = WAL');
  // By name, after WAL: the usual builds fall to NORMAL there while the pragma still says FULL.
  // Measured: 8 syncs for 100 commits without this line, 109 with it.
  database.exec('PRAGMA synchronous = FULL');
  // Where fsync stops at the drive's cache (macOS), ask for the full one. No effect elsewhere.
  database.exec('PRAGMA fullfsync = ON');
  // 32 MiB: with 48 a process that takes bulk grows past 200 MiB.
  database.exec('PRAGMA cache_size = -32768');
  // Not by SQLite itself: see `checkpoint`.
  database.exec('PRAGMA wal_autocheckpoint = 0');
}

/**
 * Moves what is in the write-ahead log into the file, and begins the log anew.
 *
 * From then on the file alone says that it needs its log, and the log says that it does not: a file
 * that is read without one has lost what was only there. Whoever merges the log into the file in
 * SQLite's own way, as a clean close does, merges that answer as well.
 */
export function checkpoint(database: Database): void {
  try {
    database.exec('UPDATE state SET needs_log = 1');
    database.exec('PRAGMA wal_checkpoint(RESTART)');
  } finally {
    // Also when that failed: whoever closes the file then merges the log, and the answer with it.
    answerInLog(database);
  }
}

/** Says in the log that the file does not need it; once more where the disk failed only once. */
function answerInLog(database: Database): void {
  const answer = 'UPDATE state SET needs_log = 0';
  try {
    database.exec(answer);
  } catch (error) {
    try {
      database.exec(answer);
    } catch {
      // A disk that goes on failing lets no close merge the log either.
    }
    throw error;
  }
}

/** Closes a store; its log is then part of the file, and gone, unless the disk is full. */
export function closeStoreFile(database: Database): void {
  unlessFull(() => database.exec('UPDATE state SET needs_log = 0'));
  database.close();
}

/** Does what can wait until the disk has space; gives whether it was done. */
export function unlessFull(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (resultCode(error) === resultCodes.full) return false;
    throw error;
  }
}

function findLostLog(database: Database, path: string): string | undefined {
  const { needs_log: needsLog } = database.prepare('SELECT needs_log FROM state').get() as {
    needs_log: number;
  };
  if (needsLog === 0) return undefined;
  return `The store ${path} was not closed, and its -wal file is gone; messages may be with it.`;
}

function pragma(database: Database, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number>;
  return row[name]!;
}
