import { randomUUID } from 'node:crypto';
import { resultCode, resultCodes, rollBack, type Database } from './driver.ts';
import { schemaVersion, type State } from './schema.ts';

/**
 * The write-ahead log of an open store, which is bound to its file: SQLite itself reads whatever lies
 * at the path of the log, a foreign or older one too. Each log has a random token, and `restart` and
 * `close` move it in three steps, so that after a crash between any two of them `belongs` still holds:
 *
 * 1. The old log says which log comes next, and which token the file bears until it is merged.
 * 2. The old log is merged: the file bears the token of the next log, and says that it needs it.
 * 3. The new log begins with its own token, and with the answer that the file does not need it.
 *
 * The row that all this stands in keeps its size, and so its place within one sector: a power cut in
 * the middle of a merge leaves the old one or the new one.
 *
 * So a file that is read without its log tells that messages may be missing, and whoever merges the
 * log in SQLite's own way merges the answer as well.
 */
export class StoreLog {
  readonly #database: Database;
  /** The token that the file bears. */
  #fileToken: string;
  /** The token of the next log, as long as merging the last one has not succeeded. */
  #next: string | undefined;
  #isBegun = false;

  constructor(database: Database, fileToken: string) {
    this.#database = database;
    this.#fileToken = fileToken;
  }

  /** Has to come before a write: begins the log where the disk was too full for it until now. */
  begin(): void {
    if (!this.#isBegun) this.restart();
  }

  /**
   * Merges the log into the file, and begins it anew. Where that fails, the log goes on as it was; the
   * next write tries again where it cannot.
   */
  restart(): void {
    const wasBegun = this.#isBegun;
    this.#isBegun = false;
    try {
      this.#merge();
    } catch (error) {
      // So that whoever closes the file then merges the answer, too.
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

  /** Says in the log that the file does not need it; once more where the disk failed only once. */
  #answer(change: string): void {
    try {
      this.#tell(change);
    } catch {
      this.#tell(change);
    }
  }

  /** Writes the version, too, so that each log has the page with the schema that it was written by. */
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

  /** Closes the store; the log is then part of the file, and gone, unless the disk is full. */
  close(): void {
    unlessFull(() => {
      // Tells a file that was closed from a log that is put beside it later.
      if (this.#next !== undefined) this.#tell('needs_log = 0');
      else this.#tell('needs_log = 0, log = ?, log_before = ?', randomUUID(), this.#fileToken);
    });
    this.#database.close();
  }
}

/**
 * Says whether a log was written for a file as it is: by what the file tells of itself alone, and what
 * it tells together with the log. A file of schema 1 has no token, and its log may have one already.
 */
export function belongs(alone: State, together: State): boolean {
  const isSameJournal = alone.journal === together.journal || alone.journal === '';
  return isSameJournal && [together.log, together.log_before].includes(alone.log);
}

/** Does what can wait until the disk has space; gives whether it was done. */
export function unlessFull(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (resultCode(error) === resultCodes.full) return false;
    throw error;
  }
}
