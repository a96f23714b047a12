import { readFileSync, statSync } from 'node:fs';
import { MlogError } from '../errors.ts';

/** Windows has no permission bits. */
const hasPermissions = process.platform !== 'win32';

/**
 * Reads a file that those in `forbiddenMode`, a set of permission bits, may not read. Throws `usage`
 * if they may, or if it cannot be read. `kind` is what the file is for: `token`.
 */
export function readPrivateFile(path: string, kind: string, forbiddenMode: number): string {
  if (hasPermissions && (modeOf(path, kind) & forbiddenMode) !== 0) {
    throw new MlogError('usage', `Others may read the ${kind} file ${path}.`, {
      hint: `Keep it to yourself: chmod 600 ${path}.`,
    });
  }
  return readFile(path, kind);
}

/** Reads a file that a setting names. Throws `usage` if it cannot be read. */
export function readFile(path: string, kind: string): string {
  return orUnreadable(path, kind, () => readFileSync(path, 'utf8'));
}

function modeOf(path: string, kind: string): number {
  return orUnreadable(path, kind, () => statSync(path).mode);
}

function orUnreadable<T>(path: string, kind: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new MlogError('usage', `The ${kind} file ${path} cannot be read.`, {
      hint: error instanceof Error ? `${error.message}.` : undefined,
      cause: error,
    });
  }
}
