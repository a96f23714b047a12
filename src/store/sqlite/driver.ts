import { pathToFileURL } from 'node:url';
import type { DatabaseSync, DatabaseSyncInstance } from '@photostructure/sqlite';

/** A synchronous SQLite connection, with the interface of `node:sqlite`. */
export type Database = DatabaseSyncInstance;

/**
 * Opens a SQLite file with `node:sqlite` if this Node has it, otherwise with
 * @photostructure/sqlite, which has the same interface and its own build of SQLite.
 */
export async function openDatabase(
  path: string,
  options: { readonly readOnly?: boolean; readonly defensive?: boolean } = {},
): Promise<Database> {
  // Node 21 and 22.0 to 22.2 lack the function.
  const builtin: unknown = process.getBuiltinModule?.('node:sqlite');
  const driver = (builtin ?? (await import('@photostructure/sqlite'))) as {
    DatabaseSync: typeof DatabaseSync;
  };
  return new driver.DatabaseSync(path, options);
}

/**
 * Opens a file as it is on disk, without its log and without a lock, and creates no file beside it.
 * This process must not have the file open: closing it here would drop the lock.
 */
export async function openImmutable(path: string): Promise<Database> {
  const url = `${pathToFileURL(path).href}?immutable=1`;
  const database = await openDatabase(url, { readOnly: true, defensive: false });
  // Accepts a file that is shorter than its header says, as during the merge of its log.
  database.exec('PRAGMA writable_schema = ON');
  return database;
}

/**
 * Queries one text without a prepared statement. One of the drivers finalizes those only when the
 * thread ends, and until then a closed connection would keep its lock and its files.
 */
export function askOnce(database: Database, query: string): string {
  let answer = '';
  database.function('tell', (value: unknown) => {
    answer = String(value);
    return null;
  });
  database.exec(`SELECT tell((${query}))`);
  return answer;
}

/** Returns the version of the SQLite that stores use. */
export async function readSqliteVersion(): Promise<string> {
  const database = await openDatabase(':memory:');
  try {
    return askOnce(database, 'SELECT sqlite_version()');
  } finally {
    database.close();
  }
}

/** Rolls back a failed transaction. */
export function rollBack(database: Database): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // The error that led here has ended the transaction already.
  }
}

/** The result codes of SQLite that decide what happens next (https://sqlite.org/rescode.html). */
export const resultCodes = {
  error: 1,
  busy: 5,
  readonly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** Returns the primary result code of an error from the driver; undefined for other errors. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}
