import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const memoryFileSystems = new Set(['tmpfs', 'ramfs']);

/** The folder that holds everything of this run, once `makeFolder` was called. */
let root;

/** Creates a new folder on a real disk. All of them are removed when the run ends. */
export function makeFolder(name) {
  root ??= mkdtempSync(join(realDisk(), 'mlog-bench-'));
  return mkdtempSync(join(root, `${name}-`));
}

/**
 * Removes one folder early, because a store of ten million messages need not stay until the end.
 */
export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
}

/** Removes every folder of this run. */
export function removeAllFolders() {
  if (root) removeFolder(root);
}

/** Returns the file system under the stores of this run, such as `ext4`. */
export function fileSystemOf(folder) {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').trim().split('\n');
  const [, type] = mounts
    .map((line) => line.split(' ').slice(1, 3))
    .filter(([point]) => point === '/' || `${folder}/`.startsWith(`${point}/`))
    .reduce((best, next) => (next[0].length >= best[0].length ? next : best));
  return type;
}

/**
 * A sync in memory costs nothing, so a temporary folder in memory would flatter every contender.
 */
function realDisk() {
  if (!memoryFileSystems.has(fileSystemOf(tmpdir()))) return tmpdir();
  const beside = join(import.meta.dirname, '..', '.work');
  mkdirSync(beside, { recursive: true });
  return beside;
}
