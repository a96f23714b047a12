import { randomUUID } from 'node:crypto';
import { resultCode, resultCodes, rollBack, type Database } from './driver.ts';
import { schemaVersion, type State } from './schema.ts';

/**
 * The write-ahead log of an open store, bound to its file. SQLite itself reads whatever is at the
 * path of the log, including a foreign or older one. Each log therefore has a random token.
 * `restart` and `close` replace the log in three steps, so that `belongs` holds after a crash
 * between any two of them:
 *
 * 1. The old log records which log comes next, and which token the file has until the merge.
 * 2. The old log is merged: the file has the token of the next log and says that it needs it.
 * 3. The new log begins with its own token, and with the note that the file does not need it.
 *
 * The row with this state keeps its size and so stays within one sector: a power cut during a merge
 * leaves the old state or the new one. A file that is read without its log therefore tells that
 * messages may be missing, and a merge by any SQLite tool merges the note as well.
 */
export class StoreLog {
  readonly #database: Database;
  /** The token in the file. */
  #fileToken: string;
  /** The token of the next log, while the merge of the last one has not succeeded. */
  #next: string | undefined;
  #isBegun = false;

  constructor(database: Database, fileToken: string) {
    this.#database = database;
    this.#fileToken = fileToken;
  }

  /** Must precede a write: begins the log if the disk was too full for it before. */
  begin(): void {
    if (!this.#isBegun) this.restart();
  }

  /**
   * Merges the log into the file and begins it anew. If that fails, the log continues as it was,
   * and the next write tries again.
   */
  restart(): void {
    const wasBegun = this.#isBegun;
    this.#isBegun = false;
    try {
      this.#merge();
    } catch (error) {
      // Whoever closes the file then merges the note as well.
      this.#isBegun = unlessFull(() => this.#answer('needs_log = 0')) && wasBegun;
      throw error;
    }
    this.#answer('needs_log = 0, log_before = log');
    this.#isBegun = true;
  }

  #merge(): void {
    this.#next ??= randomUUID();
    this.#tell('needs_log = 1, log = ?, log_before = ?', this.#next, this.#fileToken);
    const merged = this.#database.prepare('PRAGMA wal_checkpoint(RESTART)').get() as {
      busy: number;
    };
    if (merged.busy !== 0) throw new Error('The write-ahead log could not be merged');
    this.#fileToken = this.#next;
    this.#next = undefined;
  }

  /**
   * Notes in the log that the file does not need it. Tries twice, in case the disk failed only
   * once.
   */
  #answer(change: string): void {
    try {
      this.#tell(change);
    } catch {
      this.#tell(change);
    }
  }

  /**
   * Writes the version as well, so that each log has the page with the schema that it was written
   * by.
   */
  #tell(change: string, ...values: string[]): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      this.#database.prepare(`UPDATE state SET ${change}`).run(...values);
      this.#database.exec(`PRAGMA user_version = ${schemaVersion}`);
      this.#database.exec('COMMIT');
    } catch (error) {
      rollBack(this.#database);
      throw error;
    }
  }

  /** Closes the store. The log becomes part of the file and is removed, unless the disk is full. */
  close(): void {
    unlessFull(() => {
      // Distinguishes a closed file from one beside which a log is put later.
      if (this.#next !== undefined) this.#tell('needs_log = 0');
      else this.#tell('needs_log = 0, log = ?, log_before = ?', randomUUID(), this.#fileToken);
    });
    this.#database.close();
  }
}

/**
 * Says whether a log was written for this state of the file, given the state that the file has
 * alone and together with the log. A file of schema 1 has no token, while its log may have one.
 */
export function belongs(alone: State, together: State): boolean {
  const isSameJournal = alone.journal === together.journal || alone.journal === '';
  return isSameJournal && [together.log, together.log_before].includes(alone.log);
}

/** Runs an action that can wait until the disk has space. Says whether it ran. */
export function unlessFull(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (resultCode(error) === resultCodes.full) return false;
    throw error;
  }
}
