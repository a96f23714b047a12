import { hasErrno, MlogError } from '../../errors.ts';
import { resultCode, resultCodes } from './driver.ts';
import { schemaVersion } from './schema.ts';

const accessHint =
  'A service needs a file where this user may write, as --store file:./mlog.db. ' +
  '`mlog verify` needs to read it alone.';

const fullHint = 'Free some space on its disk, then run the same command again.';

/** Returns the error that says why a store could not be opened, and what to do. */
export function toOpenError(error: unknown, path: string): MlogError {
  if (error instanceof MlogError) return error;
  const code = resultCode(error);
  if (code === resultCodes.busy) return busyError(path, error);
  if (code === resultCodes.notADatabase) {
    return damagedError(path, 'it is not a SQLite file', error);
  }
  // SQLite reports its general error code for a header that it recognizes but cannot handle.
  if (code === resultCodes.corrupt || code === resultCodes.error) {
    return damagedError(path, 'its content does not fit together', error);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new MlogError('failed_precondition', `The store ${path} cannot be opened: ${reason}.`, {
    hint: hintOf(error),
    cause: error,
  });
}

/** Returns the error for a store that another process has open. */
export function busyError(path: string, cause?: unknown): MlogError {
  return new MlogError('failed_precondition', `The store ${path} is in use by another process.`, {
    hint: 'Stop that process, or give this one another --store.',
    cause,
  });
}

/**
 * Returns the error for a log that was written for another file, or for another state of this file.
 */
export function staleLogError(path: string): MlogError {
  return new MlogError(
    'failed_precondition',
    `The log ${path}-wal does not belong to the store ${path} as it is now.`,
    {
      hint:
        'To serve the store without it, move the -wal file away. ' +
        'To keep the messages in the -wal file, put back the store file that it was written for.',
    },
  );
}

/** Returns the error for a store whose log may be beside another name of the file. */
export function linkedError(path: string): MlogError {
  return new MlogError(
    'failed_precondition',
    `The store ${path} was not closed, its -wal file is not there, and the file has other names.`,
    {
      hint: 'Start the service by the name that has a -wal file beside it, and remove the other hard links.',
    },
  );
}

/** Returns the error for a store that could not be inspected. It need not be damaged. */
export function unreadableError(error: unknown, path: string): MlogError {
  return new MlogError(
    'failed_precondition',
    `The store ${path} could not be checked: ${String(error)}.`,
    {
      hint: 'The check needs 64 KiB of space beside the store. Free some, or check the disk.',
      cause: error,
    },
  );
}

function hintOf(error: unknown): string | undefined {
  if (isAccessError(error)) return accessHint;
  const isFull = resultCode(error) === resultCodes.full || hasErrno(error, 'ENOSPC', 'EDQUOT');
  return isFull ? fullHint : undefined;
}

function isAccessError(error: unknown): boolean {
  const code = resultCode(error);
  if (code === resultCodes.cannotOpen || code === resultCodes.readonly) return true;
  return hasErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG');
}

/** Returns the error for a file that is at the path of a store and cannot be used as one. */
export function damagedError(path: string, what: string, cause?: unknown): MlogError {
  return new MlogError('failed_precondition', `The store ${path} is damaged or foreign: ${what}.`, {
    hint: 'It is unchanged. Replace it with a good copy, or give --store another path.',
    cause,
  });
}

/** Returns the error for a store that another version of mlog wrote. */
export function formatError(path: string, version: number | string): MlogError {
  return new MlogError(
    'failed_precondition',
    `The store ${path} has format ${version}; this mlog knows format ${schemaVersion}.`,
    { hint: 'Use the mlog that wrote it, or a newer one.' },
  );
}
