import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { MlogError } from '../errors.ts';
import { askOnce, openDatabase, openImmutable, type Database } from './sqlite-driver.ts';
import { damagedError, formatError, linkedError, staleLogError } from './sqlite-errors.ts';
import { belongs } from './sqlite-log.ts';
import { applicationId, readState, schemaVersion, versionOf, type State } from './sqlite-schema.ts';

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
  await checkPresence(path);
  const hasLog = isLogThere(path);
  // First with the lock: where a service has the store open, the file alone changes while it is read.
  const together = hasLog ? await readWithLog(path) : undefined;
  const alone = await look(() => openImmutable(path), readState);
  const state = together ?? alone;
  if (!belongs(alone, state)) throw staleLogError(path);
  // Its log lies beside the name that the store was last opened by.
  if (!hasLog && state.needs_log === 1 && statSync(path).nlink > 1) {
    await look(() => openDatabase(path), checkLock);
    throw linkedError(path);
  }
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

/** Reads by a connection that leaves file and log as they are: one that writes would merge them. */
async function readWithLog(path: string): Promise<State> {
  return await look(
    () => openDatabase(path, { readOnly: true }),
    (database) => {
      checkFormat(path, applicationId, versionOf(database));
      // Whether its entries can be found.
      askOnce(database, 'SELECT (SELECT min(seq) FROM entry) + (SELECT max(seq) FROM entry)');
      return readState(database);
    },
  );
}

/** Takes the lock, as a service does; throws that it is taken. */
function checkLock(database: Database): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  readState(database);
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
  checkFormat(path, header.readUInt32BE(68), header.readUInt32BE(60));
}

function checkFormat(path: string, application: number, version: number): void {
  if (application !== applicationId) {
    throw new MlogError('failed_precondition', `The file ${path} is not a store of mlog.`, {
      hint: 'Give --store another path; this file was left as it is.',
    });
  }
  if (version < 1 || version > schemaVersion) throw formatError(path, version);
}
