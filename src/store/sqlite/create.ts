import { randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasErrno } from '../../errors.ts';
import { openDatabase } from './driver.ts';
import { checkNoLoneLog, syncFile, syncFolder } from './new-file.ts';
import { upgradeSchema } from './schema.ts';

/**
 * Creates a store under a name of its own, and links it to its place once it is whole and synced.
 * Whatever is at the path of a store is therefore a whole store or a damaged one.
 */
export async function createStoreFile(path: string): Promise<void> {
  checkNoLoneLog(path);
  await makeFolder(dirname(path));
  // Not the process id: in a container it is the same at every start, so a leftover may have it.
  const draft = `${path}.${randomUUID()}.new`;
  await (await open(draft, 'wx', 0o600)).close();
  try {
    const database = await openDatabase(draft);
    upgradeSchema(database);
    database.close();
    await syncFile(draft);
    await placeFile(draft, path);
  } catch (error) {
    // Another process was faster and removed this draft as a leftover.
    if (!existsSync(path)) throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(dirname(path));
}

/** Gives a finished draft its name, without replacing a file. */
async function placeFile(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    // Another process was faster. The lock decides which of the two owns the store.
    if (hasErrno(error, 'EEXIST')) return;
    // File systems without hard links report EPERM, ENOTSUP, ENOSYS, EACCES or EIO.
    await copyToNew(draft, path);
  }
}

/** Not by `rename`, which would replace a store that another process has just created. */
async function copyToNew(draft: string, path: string): Promise<void> {
  try {
    await copyFile(draft, path, constants.COPYFILE_EXCL);
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return;
    throw error;
  }
  await syncFile(path);
}

/** The end of a draft's name: a random id, or a process id in drafts of older versions. */
const draftEnd = /^\.(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\d+)\.new(?:-journal)?$/;

/**
 * Removes the drafts that killed first starts left behind. Only the owner of the store may do this.
 */
export async function removeDrafts(path: string): Promise<void> {
  const folder = dirname(path);
  const name = basename(path);
  for (const file of await readdir(folder)) {
    if (!file.startsWith(name) || !draftEnd.test(file.slice(name.length))) continue;
    // A leftover that cannot be removed is harmless.
    await rm(join(folder, file), { force: true }).catch(() => {});
  }
}

/** Creates a folder that only its owner can enter, and syncs each folder that got a new name. */
async function makeFolder(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: 0o700 });
  if (firstMade === undefined) return;
  for (let made = path; made.length >= firstMade.length; made = dirname(made)) {
    await syncFolder(dirname(made));
  }
}
