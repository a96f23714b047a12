import { existsSync } from 'node:fs';
import { link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasErrno, MlogError } from '../errors.ts';
import { openDatabase, resultCode, resultCodes, type Database } from './sqlite-driver.ts';

/** Marks a SQLite file as a store of mlog: "mlog" in ASCII. */
const applicationId = 0x6d6c6f67;

/**
 * The version of the schema. To change the schema, raise it and write the step from the version
 * before; a store of a newer version is refused.
 */
const schemaVersion = 1;

/**
 * Ids and texts are BLOBs, not TEXT: a text may hold NUL, at which some drivers cut a TEXT value,
 * and two ids that differ only behind a NUL would become one. The view shows them as text.
 */
const schema = `
  CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    id  BLOB NOT NULL UNIQUE,
    txt BLOB NOT NULL,
    at  INTEGER NOT NULL,
    sum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE state (is_open INTEGER NOT NULL) STRICT;
  INSERT INTO state VALUES (0);
  CREATE VIEW entry_text AS
    SELECT seq, CAST(id AS TEXT) AS id, CAST(txt AS TEXT) AS txt,
           strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
    FROM entry;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

/** A store file that is open. */
export interface OpenedStore {
  readonly database: Database;
  /** What the person should know of the file, though it can be used. */
  readonly warning: string | undefined;
}

/**
 * Opens the store at a path, making it and its folder where there is none yet, and keeps every
 * other process out until it is closed. Throws `failed_precondition`, naming the path and what to
 * do, where the path cannot be used or what lies there is not a whole store.
 */
export async function openStoreFile(path: string): Promise<OpenedStore> {
  try {
    if (!existsSync(path)) await createStoreFile(path);
    const opened = await openPresent(path);
    markOpen(opened.database);
    return opened;
  } catch (error) {
    throw toOpenError(error, path);
  }
}

/** Opens a store that is there, to look at it; throws as `openStoreFile` does. */
export async function openStoreToVerify(path: string): Promise<OpenedStore> {
  try {
    return await openPresent(path);
  } catch (error) {
    throw toOpenError(error, path);
  }
}

async function openPresent(path: string): Promise<OpenedStore> {
  await checkPresence(path);
  // After a killed process the write-ahead log may hold a commit that never reached the disk.
  // SQLite would read it back, a repeat of its message would be answered as a durable duplicate,
  // and a power cut could still take it away. So it is synced before it is read.
  const hasLog = existsSync(`${path}-wal`);
  if (hasLog) await syncFile(`${path}-wal`);
  const database = await openAndCheck(path);
  return { database, warning: hasLog ? undefined : findLostLog(database, path) };
}

/**
 * Makes a new store under a name of its own and links it to its place only when it is whole and
 * synced. So whatever lies at the path of a store is a store: nothing there is ever "not yet".
 */
async function createStoreFile(path: string): Promise<void> {
  if (existsSync(`${path}-wal`)) {
    throw new MlogError('failed_precondition', `The store ${path} is gone, its -wal file is not.`, {
      hint: 'Put the file back, or move the -wal file away to begin an empty store.',
    });
  }
  await makeFolder(dirname(path));
  const draft = `${path}.${process.pid}.new`;
  await (await open(draft, 'wx', 0o600)).close();
  try {
    const database = await openDatabase(draft);
    database.exec(schema);
    database.close();
    await syncFile(draft);
    await placeFile(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(dirname(path));
}

/** Gives a finished draft its name, never over a file that is there. */
async function placeFile(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    // Another process was quicker; which of the two owns the store is decided by its lock.
    if (hasErrno(error, 'EEXIST')) return;
    // A file system without hard links.
    if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    await rename(draft, path);
  }
}

/** Makes a folder for its owner alone, and syncs each folder that got a new name in it. */
async function makeFolder(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: 0o700 });
  if (firstMade === undefined) return;
  for (let made = path; made.length >= firstMade.length; made = dirname(made)) {
    await syncFolder(dirname(made));
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
}

async function syncFile(path: string, flags = 'r+'): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows opens no folder, and keeps the names in it without being asked.
  if (process.platform !== 'win32') await syncFile(path, 'r');
}

async function openAndCheck(path: string): Promise<Database> {
  const database = await openDatabase(path);
  try {
    // Exclusive before WAL: one owner a store, and no shared-memory file beside it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
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
    database.exec('PRAGMA journal_mode = WAL');
    // By name, after WAL: the usual builds fall to NORMAL there while the pragma still says FULL.
    // Measured: 8 syncs for 100 commits without this line, 109 with it.
    database.exec('PRAGMA synchronous = FULL');
    // Where fsync stops at the drive's cache (macOS), ask for the full one. No effect elsewhere.
    database.exec('PRAGMA fullfsync = ON');
    database.exec('PRAGMA cache_size = -65536');
    database.exec('PRAGMA wal_autocheckpoint = 4000');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Writes into the file itself, not only into its log, that the store is open. A file that says so
 * later and has no log beside it has lost what was only there: killed processes leave their log.
 */
function markOpen(database: Database): void {
  database.exec('UPDATE state SET is_open = 1');
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
}

function findLostLog(database: Database, path: string): string | undefined {
  const { is_open: wasOpen } = database.prepare('SELECT is_open FROM state').get() as {
    is_open: number;
  };
  if (wasOpen === 0) return undefined;
  return `The store ${path} was not closed, and its -wal file is gone; messages may be with it.`;
}

/** Closes a store; its log is then part of the file, and gone. */
export function closeStoreFile(database: Database): void {
  database.exec('UPDATE state SET is_open = 0');
  database.close();
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
