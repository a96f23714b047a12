import { randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasErrno } from '../../errors.ts';
import { openDatabase } from './driver.ts';
import { checkNoLoneLog, syncFile, syncFolder } from './new-file.ts';
import { upgradeSchema } from './schema.ts';

/**
 * Makes a new store under a name of its own and links it to its place only when it is whole and
 * synced. So whatever lies at the path of a store is a store: nothing there is ever "not yet".
 */
export async function createStoreFile(path: string): Promise<void> {
  checkNoLoneLog(path);
  await makeFolder(dirname(path));
  // Not by the process id: in a container it is the same at every start, as a leftover's was.
  const draft = `${path}.${randomUUID()}.new`;
  await (await open(draft, 'wx', 0o600)).close();
  try {
    const database = await openDatabase(draft);
    upgradeSchema(database);
    database.close();
    await syncFile(draft);
    await placeFile(draft, path);
  } catch (error) {
    // Another process was quicker, and has cleared this draft away with the leftovers.
    if (!existsSync(path)) throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(dirname(path));
}

/** Gives a finished draft its name, never over a file that is there. */
async function placeFile(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    // Another process was quicker; which of the two owns the store is decided by its lock.
    if (hasErrno(error, 'EEXIST')) return;
    // A file system without hard links says so in many ways: EPERM, ENOTSUP, ENOSYS, EACCES, EIO.
    await copyToNew(draft, path);
  }
}

/** Not by `rename`: it would replace a store that another process has made just now. */
async function copyToNew(draft: string, path: string): Promise<void> {
  try {
    await copyFile(draft, path, constants.COPYFILE_EXCL);
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return;
    throw error;
  }
  await syncFile(path);
}

/** The end of a draft's name: a random id, or the process id that older ones have. */
const draftEnd = /^\.(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\d+)\.new(?:-journal)?$/;

/** Removes the drafts of first starts that were killed; for the owner of the store alone. */
export async function removeDrafts(path: string): Promise<void> {
  const folder = dirname(path);
  const name = basename(path);
  for (const file of await readdir(folder)) {
    if (!file.startsWith(name) || !draftEnd.test(file.slice(name.length))) continue;
    // One that cannot be removed harms nobody.
    await rm(join(folder, file), { force: true }).catch(() => {});
  }
}

/** Makes a folder for its owner alone, and syncs each folder that got a new name in it. */
async function makeFolder(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: 0o700 });
  if (firstMade === undefined) return;
  for (let made = path; made.length >= firstMade.length; made = dirname(made)) {
    await syncFolder(dirname(made));
  }
}
