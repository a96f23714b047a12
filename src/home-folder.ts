import { homedir, userInfo } from 'node:os';
import { isAbsolute } from 'node:path';
import { MlogError } from './errors.ts';

/**
 * Returns the home folder of this user. Throws `usage` if there is none: HOME is unset or relative,
 * and the user is not in the user database, as in many containers.
 */
export function homeFolder(): string {
  const folder = [homedir, () => userInfo().homedir].map(pathOrNothing).find(isAbsolute);
  if (folder !== undefined) return folder;
  throw new MlogError('usage', 'This user has no home folder in which to keep messages.', {
    hint: 'Set HOME or XDG_DATA_HOME, or name a file with --store, such as file:/data/mlog.db.',
  });
}

function pathOrNothing(find: () => string): string {
  try {
    return find();
  } catch {
    return '';
  }
}
