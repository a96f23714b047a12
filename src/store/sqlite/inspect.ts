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

/** What lies at the path of a store, seen before SQLite may change anything there. */
export interface Inspection {
  readonly hasLog: boolean;
  /** The token that the file bears, without its log. */
  readonly fileToken: string;
  /** What the store tells of itself, together with its log. */
  readonly state: State;
}

/**
 * Looks at a store without changing it: whether it is one, and whether the log beside it belongs to
 * it. Throws `failed_precondition` where not.
 */
export async function inspectStore(path: string): Promise<Inspection> {
  const hasLog = isLogThere(path);
  await checkPresence(path, hasLog);
  // First with the lock: where a service has the store open, the file alone changes while it is read.
  // A connection that writes would merge the log.
  const together = hasLog
    ? await look(
        () => openDatabase(path, { readOnly: true }),
        (found) => readWhole(found, path),
      )
    : undefined;
  const alone = await look(
    () => openImmutable(path),
    // What a merge has left half-done fits together with its log only.
    (found) => (together ? readState(found) : readWhole(found, path)),
  );
  const state = together ?? alone;
  if (!belongs(alone, state)) throw staleLogError(path);
  // Its log lies beside the name that the store was last opened by.
  if (!hasLog && state.needs_log === 1 && statSync(path).nlink > 1) throw linkedError(path);
  return { hasLog, fileToken: alone.log, state };
}

/** Says whether there is a log; SQLite makes an empty one in the place of one that was removed. */
export function isLogThere(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Says what is missing of a store, by what it tells of itself; undefined where nothing is. */
export function findLostLog(path: string, { hasLog, state }: Inspection): string | undefined {
  if (hasLog || state.needs_log === 0) return undefined;
  return `The store ${path} was not closed, and its -wal file is gone or empty; messages may be with it.`;
}

/** Reads what a store tells of itself; throws where it is none, or its entries cannot be found. */
function readWhole(database: Database, path: string): State {
  checkFormat(path, applicationId, versionOf(database));
  askOnce(database, 'SELECT (SELECT min(seq) FROM entry) + (SELECT max(seq) FROM entry)');
  return readState(database);
}

/** Takes the lock, as a service does; throws where it is taken. What else is wrong is told later. */
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
  const found = await stat(path);
  if (!found.isFile()) {
    throw new MlogError('failed_precondition', `The store ${path} is not a file.`, {
      hint: 'Give --store a file, such as file:./mlog.db.',
    });
  }
  if (found.size === 0) throw damagedError(path, 'it is empty');
  // By another of its names a service may have it open, and then the file alone does not fit together.
  if (!hasLog && found.nlink > 1) await checkFree(path);
  await checkHeader(path, hasLog ? undefined : found.size);
}

/**
 * Reads in the header of a SQLite file (https://sqlite.org/fileformat.html) whose it is, before
 * SQLite opens it: closing it, SQLite would merge a foreign file's log into it.
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
  // SQLite would read it, and refuse to write to it.
  const versions = [header[18]!, header[19]!];
  if (!versions.every((version) => version === 1 || version === 2)) {
    throw damagedError(path, 'its header is damaged');
  }
  // Without a log the header tells the size: SQLite would read what there is, and then refuse to write.
  if (fileBytes !== undefined && header.readUInt32BE(28) * pageBytesOf(header) > fileBytes) {
    throw damagedError(path, 'it is shorter than its header says');
  }
}

/** The size of a page; the largest one does not fit two bytes and is written as 1. */
function pageBytesOf(header: Buffer): number {
  const told = header.readUInt16BE(16);
  return told === 1 ? 65_536 : told;
}

function checkFormat(path: string, application: number, version: number): void {
  if (application !== applicationId) {
    throw new MlogError('failed_precondition', `The file ${path} is not a store of mlog.`, {
      hint: 'Give --store another path; this file was left as it is.',
    });
  }
  if (version < 1 || version > schemaVersion) throw formatError(path, version);
}
