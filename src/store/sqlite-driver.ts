import type { DatabaseSync, DatabaseSyncInstance } from '@photostructure/sqlite';

/** A synchronous SQLite connection, with the interface of `node:sqlite`. */
export type Database = DatabaseSyncInstance;

/**
 * Opens a SQLite file with Node's own `node:sqlite` where this Node has it, else with
 * @photostructure/sqlite, which brings the same interface and its own SQLite.
 */
export async function openDatabase(
  path: string,
  options: { readonly readOnly?: boolean } = {},
): Promise<Database> {
  // Node 21 and 22.0 to 22.2 do not have the function.
  const builtin: unknown = process.getBuiltinModule?.('node:sqlite');
  const driver = (builtin ?? (await import('@photostructure/sqlite'))) as {
    DatabaseSync: typeof DatabaseSync;
  };
  return new driver.DatabaseSync(path, options);
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

/** Gives the primary result code of an error thrown by the driver, undefined for other errors. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}
