import { existsSync, fstatSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MlogError } from '../../errors.ts';

/** What makes a file the same one, whatever its name. */
interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** No file system has a coarser clock than FAT, which counts in steps of 2 s. Most have 1 to 10 ms. */
const tickMaxMs = 2_000;

/** The file of an open store, or its log, is no more at its path: nothing can be kept any longer. */
export class LostFileError extends MlogError {
  constructor(message: string, hint: string) {
    super('unavailable', message, { hint });
  }
}

/**
 * The file of an open store and its log, as they were when it was opened. SQLite goes on writing to
 * files that were removed or replaced, and what it writes there is lost with the process.
 */
export class OpenFiles {
  readonly #path: string;
  readonly #file: Identity;
  readonly #log: Identity;
  /** Node closes it with the thread. Undefined where the system opens no folders. */
  readonly #folder: number | undefined;
  /** When the names in the folder last changed, as far as they were looked at. */
  #changedAt: bigint | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#folder = process.platform === 'win32' ? undefined : openSync(dirname(path), 'r');
    this.#file = statSync(path, { bigint: true });
    this.#log = statSync(`${path}-wal`, { bigint: true });
  }

  /**
   * Checks as `check` does, if a name in the folder has changed since the last time. Before each
   * acknowledgement a look at both paths took 34 µs, since a sync leaves nothing of them in the
   * processor's caches, and this one takes 9.
   */
  checkAfterChange(): void {
    if (this.#folder === undefined) return this.check();
    const { ctimeNs } = fstatSync(this.#folder, statOptions);
    if (ctimeNs === this.#changedAt) return;
    this.check();
    // Another change within the same tick would leave the time as it is.
    if (Date.now() - Number(ctimeNs / 1_000_000n) > tickMaxMs) this.#changedAt = ctimeNs;
  }

  /**
   * Throws `LostFileError` where a path leads to another file now, or to none. Never opens a file:
   * closing it again would drop the lock that SQLite has on it.
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

  /** Moves what took the place of the log out of the way: SQLite removes it when it merges the log. */
  putAsideOtherLog(): void {
    const log = `${this.#path}-wal`;
    if (existsSync(log) && !isAt(log, this.#log)) renameSync(log, `${log}.replaced`);
  }
}

/** In numbers of their own type: those of some file systems are too large for the usual one. */
const statOptions = { bigint: true, throwIfNoEntry: false } as const;

function isAt(path: string, { dev, ino }: Identity): boolean {
  const found = statSync(path, statOptions);
  return found !== undefined && found.ino === ino && found.dev === dev;
}
