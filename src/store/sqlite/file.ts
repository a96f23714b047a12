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

/** A store file that is open. */
export interface OpenedStore {
  readonly database: Database;
  readonly log: StoreLog;
  readonly files: OpenFiles;
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
    path = await realPathOf(path);
    if (!existsSync(path)) await createStoreFile(path);
    // SQLite would open it for reading alone, and then fail at the lock with an I/O error.
    await access(path, constants.W_OK);
    const { database, inspection } = await openWhenFree(path);
    // With the lock no other process uses it, and this one does without.
    await rm(`${path}-shm`, { force: true });
    await removeDrafts(path).catch(() => {});
    upgradeSchema(database);
    const log = new StoreLog(database, inspection.fileToken);
    // Where the disk is full the log begins with the first write.
    unlessFull(() => log.restart());
    // For the name of the new log. SQLite does it too, but goes on when it fails.
    await syncFolder(dirname(path));
    const files = new OpenFiles(path);
    return { database, log, files, warning: findLostLog(path, inspection) };
  } catch (error) {
    throw toOpenError(error, path);
  }
}

/**
 * Of two processes that start at the same moment each may find the lock with the other, which only
 * looks at the store, or reads a new one before it writes. Each tries again after a time of its own, so that one of them gets it.
 */
const busyTriesMaxCount = 5;
const busyPauseMaxMs = 100;

/** Opens a store as `openInspected` does, and waits for a moment where another process has it. */
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

/** Another process may open and close the store between the look and the lock. */
const triesMaxCount = 3;

/** Opens the file of a store that was found whole, with the lock, as it was found. */
async function openInspected(
  path: string,
): Promise<{ database: Database; inspection: Inspection }> {
  for (let tries = 1; tries <= triesMaxCount; tries += 1) {
    // After a killed process the write-ahead log may hold a commit that never reached the disk.
    // SQLite would read it back, a repeat of its message would be answered as a durable duplicate,
    // and a power cut could still take it away. So it is synced before it is read.
    if (existsSync(`${path}-wal`)) await syncFile(`${path}-wal`);
    const inspection = await inspectStore(path);
    const database = await openDatabase(path);
    try {
      // Exclusive before anything else: one owner a store, and no shared-memory file beside it.
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
  // By name, after WAL: the usual builds fall to NORMAL there while the pragma still says FULL.
  // Measured: 8 syncs for 100 commits without this line, 109 with it.
  database.exec('PRAGMA synchronous = FULL');
  // Where fsync stops at the drive's cache (macOS), ask for the full one. No effect elsewhere.
  database.exec('PRAGMA fullfsync = ON');
  // 32 MiB: with 48 a process that takes bulk grows past 200 MiB.
  database.exec('PRAGMA cache_size = -32768');
  // Not by SQLite itself: see `StoreLog`.
  database.exec('PRAGMA wal_autocheckpoint = 0');
}
