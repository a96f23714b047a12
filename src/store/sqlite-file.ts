import { existsSync } from 'node:fs';
import { readlink, realpath, stat } from 'node:fs/promises';
import { hasErrno, MlogError } from '../errors.ts';
import {
  applicationId,
  createStoreFile,
  removeDrafts,
  schemaVersion,
  syncFile,
} from './sqlite-create.ts';
import { openDatabase, resultCode, resultCodes, type Database } from './sqlite-driver.ts';

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
    const database = await openDatabase(path);
    // Exclusive before anything else: one owner a store, and no shared-memory file beside it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    checkFormat(database, path);
    const warning = hasLog ? undefined : findLostLog(database, path);
    configure(database);
    await removeDrafts(path).catch(() => {});
    return { database, warning, needsCheckpoint: !unlessFull(() => checkpoint(database)) };
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
    checkFormat(database, path);
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

/**
 * Follows the links to a store: SQLite keeps the log beside the file itself, not beside a link to
 * it. A path where nothing is yet stays as it is.
 */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  const target = await readlink(path).catch(() => undefined);
  if (target === undefined) return path;
  throw new MlogError(
    'failed_precondition',
    `The store ${path} is a link to ${target}, where nothing is.`,
    { hint: 'Bring the file or its disk back, or remove the link to begin an empty store.' },
  );
}

async function checkPresence(path: string): Promise<void> {
  const found = await stat(path);
  if (!found.isFile()) {
    throw new MlogError('failed_precondition', `The store ${path} is not a file.`, {
      hint: 'Give --store a file, such as file:./mlog.db.',
    });
  }
  if (found.size === 0) throw damagedError(path, 'it is empty');
}

function checkFormat(database: Database, path: string): void {
  if (pragma(database, 'application_id') !== applicationId) {
    throw new MlogError('failed_precondition', `The file ${path} is not a store of mlog.`, {
      hint: 'Give --store another path; this file was left as it is.',
    });
  }
  const version = pragma(database, 'user_version');
  if (version !== schemaVersion) {
    throw new MlogError(
      'failed_precondition',
      `The store ${path} has format ${version}; this mlog knows format ${schemaVersion}.`,
      { hint: 'Use the mlog that wrote it, or a newer one.' },
    );
  }
}

function configure(database: Database): void {
  database.exec('PRAGMA journal_mode = WAL');
  // By name, after WAL: the usual builds fall to NORMAL there while the pragma still says FULL.
  // Measured: 8 syncs for 100 commits without this line, 109 with it.
  database.exec('PRAGMA synchronous = FULL');
  // Where fsync stops at the drive's cache (macOS), ask for the full one. No effect elsewhere.
  database.exec('PRAGMA fullfsync = ON');
  database.exec('PRAGMA cache_size = -65536');
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
  database.exec('UPDATE state SET needs_log = 1');
  database.exec('PRAGMA wal_checkpoint(RESTART)');
  database.exec('UPDATE state SET needs_log = 0');
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

function toOpenError(error: unknown, path: string): MlogError {
  if (error instanceof MlogError) return error;
  const code = resultCode(error);
  if (code === resultCodes.busy) {
    return new MlogError('failed_precondition', `The store ${path} is in use by another process.`, {
      hint: 'Stop that one, or give this one a --store of its own.',
      cause: error,
    });
  }
  if (code === resultCodes.notADatabase) {
    return damagedError(path, 'it is not a SQLite file', error);
  }
  if (code === resultCodes.corrupt) {
    return damagedError(path, 'its content does not fit together', error);
  }
  const reason = error instanceof Error ? error.message : String(error);
  const isAccess = isAccessError(error);
  return new MlogError('failed_precondition', `The store ${path} cannot be opened: ${reason}.`, {
    ...(isAccess && { hint: 'Give --store a file where this user may write, as file:./mlog.db.' }),
    cause: error,
  });
}

function unreadableError(error: unknown, path: string): MlogError {
  return new MlogError(
    'failed_precondition',
    `The store ${path} could not be checked: ${String(error)}.`,
    {
      hint: 'The check needs 64 KiB of space beside the store. Free some, or look after the disk.',
      cause: error,
    },
  );
}

function isAccessError(error: unknown): boolean {
  const code = resultCode(error);
  if (code === resultCodes.cannotOpen || code === resultCodes.readonly) return true;
  return hasErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG');
}

function damagedError(path: string, what: string, cause?: unknown): MlogError {
  return new MlogError('failed_precondition', `The store ${path} is damaged or foreign: ${what}.`, {
    hint: 'It was left as it is. Put a good copy in its place, or give --store another path.',
    cause,
  });
}
