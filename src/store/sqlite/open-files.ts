import { existsSync, fstatSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MlogError } from '../../errors.ts';

/** What identifies a file, whatever its name. */
interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** The coarsest clock of a file system is that of FAT, with steps of 2 s. Most have 1 to 10 ms. */
const tickMaxMs = 2_000;

/** The file of an open store or its log is no longer at its path, so nothing more can be stored. */
export class LostFileError extends MlogError {
  constructor(message: string, hint: string) {
    super('unavailable', message, { hint });
  }
}

/**
 * The file of an open store and its log, as they were when it was opened. SQLite keeps writing to
 * files that were removed or replaced, and those writes are lost with the process.
 */
export class OpenFiles {
  readonly #path: string;
  readonly #file: Identity;
  readonly #log: Identity;
  /** Node closes it with the thread. Undefined on systems that cannot open folders. */
  readonly #folder: number | undefined;
  /** When the names in the folder last changed, as of the last look. */
  #changedAt: bigint | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#folder = process.platform === 'win32' ? undefined : openSync(dirname(path), 'r');
    this.#file = statSync(path, { bigint: true });
    this.#log = statSync(`${path}-wal`, { bigint: true });
  }

  /**
   * Checks like `check` if a name in the folder has changed since the last time. Before each
   * acknowledgement, looking at both paths took 34 µs, because a sync evicts them from the
   * processor's caches; this takes 9 µs.
   */
  checkAfterChange(): void {
    if (this.#folder === undefined) return this.check();
    const { ctimeNs } = fstatSync(this.#folder, statOptions);
    if (ctimeNs === this.#changedAt) return;
    this.check();
    // Another change within the same tick would not change the time.
    if (Date.now() - Number(ctimeNs / 1_000_000n) > tickMaxMs) this.#changedAt = ctimeNs;
  }

  /**
   * Throws `LostFileError` if a path now leads to another file, or to none. It never opens a file,
   * because closing it would drop the lock of SQLite.
   */
  check(): void {
    const path = this.#path;
    if (!isAt(path, this.#file)) {
      throw new LostFileError(
        `The store ${path} was ${existsSync(path) ? 'replaced' : 'removed'} while it was in use.`,
        `What is not merged yet is in ${path}-wal: put the file back to it, or move both away.`,
      );
    }
    if (!isAt(`${path}-wal`, this.#log)) {
      throw new LostFileError(
        `The log ${path}-wal was ${existsSync(`${path}-wal`) ? 'replaced' : 'removed'} while it was in use.`,
        'Its messages were merged into the store. Start the service again.',
      );
    }
  }

  /** Whether the file itself is still there, so that its log can be merged into it. */
  get hasFile(): boolean {
    return isAt(this.#path, this.#file);
  }

  /** Moves aside the file that replaced the log: SQLite would remove it when it merges the log. */
  putAsideOtherLog(): void {
    const log = `${this.#path}-wal`;
    if (existsSync(log) && !isAt(log, this.#log)) renameSync(log, `${log}.replaced`);
  }
}

/** As bigint: the numbers of some file systems are too large for a double. */
const statOptions = { bigint: true, throwIfNoEntry: false } as const;

function isAt(path: string, { dev, ino }: Identity): boolean {
  const stats = statSync(path, statOptions);
  return stats !== undefined && stats.ino === ino && stats.dev === dev;
}
