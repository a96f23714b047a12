import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { plainEnvironment } from './processes.js';

/** Returns the path of an installed program; undefined if there is none. */
export function findProgram(name) {
  // Debian keeps servers in sbin, which is not in everyone's PATH.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Says why something cannot run if one of its programs is missing; otherwise undefined. */
export function missingPrograms(names, debianPackages) {
  const missing = names.filter((name) => !findProgram(name));
  if (missing.length === 0) return undefined;
  return `no ${missing.join(', no ')} here (Debian: apt-get install ${debianPackages})`;
}

/** Returns the version of a program: the first such number in its output. */
export function programVersion(name, ...args) {
  const { stdout, stderr } = spawnSync(findProgram(name), args, {
    env: plainEnvironment,
    encoding: 'utf8',
    timeout: 5_000,
  });
  return /\d+\.\d+(?:\.\d+)?/.exec(stdout + stderr)?.[0] ?? 'of unknown version';
}

/** Returns the version of a package that is installed for the benchmarks. */
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
