import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { MlogError } from '../../errors.ts';
import {
  askOnce,
  openDatabase,
  openImmutable,
  resultCode,
  resultCodes,
  type Database,
} from './driver.ts';
import { damagedError, formatError, linkedError, staleLogError } from './errors.ts';
import { belongs } from './log.ts';
import { applicationId, readState, schemaVersion, versionOf, type State } from './schema.ts';

/** What is at the path of a store, seen before SQLite may change anything there. */
export interface Inspection {
  readonly hasLog: boolean;
  /** The token in the file, read without its log. */
  readonly fileToken: string;
  /** The state of the store, read together with its log. */
  readonly state: State;
}

/**
 * Inspects a store without changing it: is it a store, and does the log beside it belong to it?
 * Throws `failed_precondition` if not.
 */
export async function inspectStore(path: string): Promise<Inspection> {
  const hasLog = isLogThere(path);
  await checkPresence(path, hasLog);
  // With the lock first: while a service has the store open, the file alone changes during the
  // read. A connection that writes would merge the log.
  const together = hasLog
    ? await look(
        () => openDatabase(path, { readOnly: true }),
        (database) => readWhole(database, path),
      )
    : undefined;
  const alone = await look(
    () => openImmutable(path),
    // A half-finished merge is consistent only together with its log.
    (database) => (together ? readState(database) : readWhole(database, path)),
  );
  const state = together ?? alone;
  if (!belongs(alone, state)) throw staleLogError(path);
  // The log is beside the name under which the store was last opened.
  if (!hasLog && state.needs_log === 1 && statSync(path).nlink > 1) throw linkedError(path);
  return { hasLog, fileToken: alone.log, state };
}

/** Says whether there is a log. SQLite creates an empty one in place of one that was removed. */
export function isLogThere(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Says what a store misses, going by its state; undefined if nothing is missing. */
export function findLostLog(path: string, { hasLog, state }: Inspection): string | undefined {
  if (hasLog || state.needs_log === 0) return undefined;
  return `The store ${path} was not closed, and its -wal file is gone or empty; messages may be with it.`;
}

/** Reads the state of a store. Throws if it is no store or its entries cannot be found. */
function readWhole(database: Database, path: string): State {
  checkFormat(path, applicationId, versionOf(database));
  askOnce(database, 'SELECT (SELECT min(seq) FROM entry) + (SELECT max(seq) FROM entry)');
  return readState(database);
}

/**
 * Takes the lock like a service does, and throws if it is taken. Other faults are reported later.
 */
async function checkFree(path: string): Promise<void> {
  try {
    await look(
      () => openDatabase(path),
      (database) => {
        database.exec('PRAGMA locking_mode = EXCLUSIVE');
        readState(database);
      },
    );
  } catch (error) {
    if (resultCode(error) === resultCodes.busy) throw error;
  }
}

async function look<T>(
  connect: () => Promise<Database>,
  action: (database: Database) => T,
): Promise<T> {
  const database = await connect();
  try {
    return action(database);
  } finally {
    database.close();
  }
}

async function checkPresence(path: string, hasLog: boolean): Promise<void> {
  const stats = await stat(path);
  if (!stats.isFile()) {
    throw new MlogError('failed_precondition', `The store ${path} is not a file.`, {
      hint: 'Give --store a file, such as file:./mlog.db.',
    });
  }
  if (stats.size === 0) throw damagedError(path, 'it is empty');
  // A service may have it open under another name, and then the file alone is not consistent.
  if (!hasLog && stats.nlink > 1) await checkFree(path);
  await checkHeader(path, hasLog ? undefined : stats.size);
}

/**
 * Reads from the header of a SQLite file (https://sqlite.org/fileformat.html) whose file it is,
 * before SQLite opens it: on closing it, SQLite would merge the log of a foreign file.
 */
async function checkHeader(path: string, fileBytes: number | undefined): Promise<void> {
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
  checkFormat(path, header.readUInt32BE(68), header.readUInt32BE(60));
  // SQLite would read such a file and refuse to write to it.
  const versions = [header[18]!, header[19]!];
  if (!versions.every((version) => version === 1 || version === 2)) {
    throw damagedError(path, 'its header is damaged');
  }
  // Without a log the header tells the size. SQLite would read a shorter file and then refuse to
  // write.
  if (fileBytes !== undefined && header.readUInt32BE(28) * pageBytesOf(header) > fileBytes) {
    throw damagedError(path, 'it is shorter than its header says');
  }
}

/** The page size. The largest one does not fit two bytes and is stored as 1. */
function pageBytesOf(header: Buffer): number {
  const told = header.readUInt16BE(16);
  return told === 1 ? 65_536 : told;
}

function checkFormat(path: string, application: number, version: number): void {
  if (application !== applicationId) {
    throw new MlogError('failed_precondition', `The file ${path} is not an mlog store.`, {
      hint: 'Give --store another path; this file is unchanged.',
    });
  }
  if (version < 1 || version > schemaVersion) throw formatError(path, version);
}
