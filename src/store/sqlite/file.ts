import { constants, existsSync } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createStoreFile, removeDrafts } from './create.ts';
import { busyError, toOpenError } from './errors.ts';
import { openDatabase, resultCode, resultCodes, type Database } from './driver.ts';
import { findLostLog, inspectStore, type Inspection } from './inspect.ts';
import { StoreLog, unlessFull } from './log.ts';
import { syncFile, syncFolder } from './new-file.ts';
import { OpenFiles } from './open-files.ts';
import { realPathOf } from './path.ts';
import { readState, upgradeSchema } from './schema.ts';

/** An open store file. */
export interface OpenedStore {
  readonly database: Database;
  readonly log: StoreLog;
  readonly files: OpenFiles;
  /** What the operator should know about the file, although it can be used. */
  readonly warning: string | undefined;
}

/**
 * Opens the store at a path, creates it and its folder if it is missing, and locks out other
 * processes until it is closed. Throws `failed_precondition`, with the path and what to do, if the
 * path cannot be used or holds anything but a whole store.
 */
export async function openStoreFile(path: string): Promise<OpenedStore> {
  try {
    path = await realPathOf(path);
    if (!existsSync(path)) await createStoreFile(path);
    // SQLite would open it read-only and fail at the lock, with an I/O error.
    await access(path, constants.W_OK);
    const { database, inspection } = await openWhenFree(path);
    // The lock keeps other processes out, and this one needs no shared memory.
    await rm(`${path}-shm`, { force: true });
    await removeDrafts(path).catch(() => {});
    upgradeSchema(database);
    const log = new StoreLog(database, inspection.fileToken);
    // On a full disk the log begins with the first write.
    unlessFull(() => log.restart());
    // Makes the name of the new log durable. SQLite syncs the folder too, but ignores a failure.
    await syncFolder(dirname(path));
    const files = new OpenFiles(path);
    return { database, log, files, warning: findLostLog(path, inspection) };
  } catch (error) {
    throw toOpenError(error, path);
  }
}

/**
 * Of two processes that start together, each may find the lock taken by the other, which only
 * inspects the store or reads a new one before it writes. Each retries after a random time, so one
 * of them gets the lock.
 */
const busyTriesMaxCount = 5;
const busyPauseMaxMs = 100;

/** Opens a store like `openInspected`, and waits briefly while another process has it. */
async function openWhenFree(path: string): Promise<{ database: Database; inspection: Inspection }> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await openInspected(path);
    } catch (error) {
      if (tries === busyTriesMaxCount || resultCode(error) !== resultCodes.busy) throw error;
      await sleep(Math.random() * busyPauseMaxMs);
    }
  }
}

/** Another process may open and close the store between the inspection and the lock. */
const triesMaxCount = 3;

/** Locks and opens a store that was found whole, provided that it is still as it was found. */
async function openInspected(
  path: string,
): Promise<{ database: Database; inspection: Inspection }> {
  for (let tries = 1; tries <= triesMaxCount; tries += 1) {
    // After `kill -9`, the write-ahead log may hold a commit that never reached the disk. SQLite
    // would read it, a repeat of its message would be reported as a durable duplicate, and a power
    // cut could still remove it. So the log is synced before it is read.
    if (existsSync(`${path}-wal`)) await syncFile(`${path}-wal`);
    const inspection = await inspectStore(path);
    const database = await openDatabase(path);
    try {
      // Exclusive before anything else: the store has one owner, and no shared-memory file.
      database.exec('PRAGMA locking_mode = EXCLUSIVE');
      if (isDeepStrictEqual(readState(database), inspection.state)) {
        configure(database);
        return { database, inspection };
      }
    } catch (error) {
      database.close();
      throw error;
    }
    database.close();
  }
  throw busyError(path);
}

function configure(database: Database): void {
  database.exec('PRAGMA journal_mode = WAL');
  // By name, after WAL: the usual builds fall to NORMAL there, while the pragma still says FULL.
  // Measured: 8 syncs for 100 commits without this line, 109 with it.
  database.exec('PRAGMA synchronous = FULL');
  // On macOS, fsync stops at the cache of the drive; this asks for a full sync. No effect
  // elsewhere.
  database.exec('PRAGMA fullfsync = ON');
  // 32 MiB: with 48, a process that takes bulk uploads grows past 200 MiB.
  database.exec('PRAGMA cache_size = -32768');
  // `StoreLog` does the checkpoints.
  database.exec('PRAGMA wal_autocheckpoint = 0');
}
