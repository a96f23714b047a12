import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { plainEnvironment } from './processes.js';

/** Gives the path of a program that is installed; undefined when it is not. */
export function findProgram(name) {
  // Debian keeps servers in sbin, which is not on everybody's PATH.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Says why something cannot run when one of its programs is missing; else undefined. */
export function missingPrograms(names, debianPackages) {
  const missing = names.filter((name) => !findProgram(name));
  if (missing.length === 0) return undefined;
  return `no ${missing.join(', no ')} here (Debian: apt-get install ${debianPackages})`;
}

/** Asks a program for its version: the first such number in what it prints. */
export function programVersion(name, ...args) {
  const { stdout, stderr } = spawnSync(findProgram(name), args, {
    env: plainEnvironment,
    encoding: 'utf8',
    timeout: 5_000,
  });
  return /\d+\.\d+(?:\.\d+)?/.exec(stdout + stderr)?.[0] ?? 'of unknown version';
}

/** Tells the version of a package that is installed for the benchmarks. */
export function packageVersion(name) {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
