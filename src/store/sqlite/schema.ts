import { randomUUID } from 'node:crypto';
import { askOnce, type Database } from './driver.ts';

/** Marks a SQLite file as a store of mlog: "mlog" in ASCII. */
export const applicationId = 0x6d6c6f67;

/**
 * The statements that lead from each version of the schema to the next. To change the schema, add a
 * step: a new store runs all of them, an older one runs the missing ones at its next start. Keep a
 * store of the previous version under `test/store`. A step may only add, because until the log is
 * merged, the file may hold the new schema beside rows of the old one.
 *
 * 1. Ids and texts are BLOBs, not TEXT. A text may hold NUL, where some drivers cut a TEXT value,
 *   so that two ids that differ only after a NUL would become one. The view shows them as text.
 * 2. The journal has an id, and the file and its log are bound to each other; see `log.ts`.
 */
const steps = [
  `CREATE TABLE entry (
     seq INTEGER PRIMARY KEY,
     id  BLOB NOT NULL UNIQUE,
     txt BLOB NOT NULL,
     at  INTEGER NOT NULL,
     sum INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE state (needs_log INTEGER NOT NULL) STRICT;
   INSERT INTO state VALUES (0);
   CREATE VIEW entry_text AS
     SELECT seq, CAST(id AS TEXT) AS id, CAST(txt AS TEXT) AS txt,
            strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
     FROM entry;
   PRAGMA application_id = ${applicationId};`,
  `ALTER TABLE state ADD COLUMN journal TEXT NOT NULL DEFAULT '';
   ALTER TABLE state ADD COLUMN original TEXT NOT NULL DEFAULT '';
   ALTER TABLE state ADD COLUMN log TEXT NOT NULL DEFAULT '';
   ALTER TABLE state ADD COLUMN log_before TEXT NOT NULL DEFAULT '';`,
];

/** The schema version that this mlog writes. It opens older ones, and refuses newer ones. */
export const schemaVersion = steps.length;

/**
 * Brings an empty file or an older store to the current schema in one transaction: a crash leaves
 * the old version or the new one.
 */
export function upgradeSchema(database: Database): void {
  const version = versionOf(database);
  if (version === schemaVersion) return;
  database.exec('BEGIN IMMEDIATE');
  for (const step of steps.slice(version)) database.exec(step);
  // An older store has no log that is known by its token.
  const log = version === 0 ? randomUUID() : '';
  const tokens = `log = '${log}', log_before = '${log}'`;
  database.exec(`UPDATE state SET journal = '${randomUUID()}', ${tokens}`);
  database.exec(`PRAGMA user_version = ${schemaVersion}`);
  database.exec('COMMIT');
}

/** Returns the schema version of an open store; 0 for an empty file. */
export function versionOf(database: Database): number {
  return Number(askOnce(database, 'SELECT user_version FROM pragma_user_version'));
}

/** The state of a store. The table `state` has one row. */
export interface State {
  /** 1 if the file has lost messages should its log be missing; see `log.ts`. */
  readonly needs_log: number;
  /** The id of the journal; empty in a store of version 1. */
  readonly journal: string;
  /** The id of the journal that this store is a copy of; empty if none was recorded. */
  readonly original: string;
  /** The token of the log that belongs to the file; empty in a store of version 1. */
  readonly log: string;
  /** In a log: the token that the file may still have. */
  readonly log_before: string;
}

/** Reads the state of a store. */
export function readState(database: Database): State {
  const known = { needs_log: 0, journal: '', original: '', log: '', log_before: '' };
  const names = versionOf(database) < 2 ? ['needs_log'] : Object.keys(known);
  const pairs = names.map((name) => `'${name}', ${name}`).join(', ');
  const row = askOnce(database, `SELECT json_object(${pairs}) FROM state`);
  return { ...known, ...(JSON.parse(row) as Partial<State>) };
}
