import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileSystemOf } from './folders.js';
import { runProgram } from './processes.js';
import { measureSyncMs } from './sync.js';

const repository = new URL('../../', import.meta.url);

/** Describes the machine in lines of `name: value`. The folder is where the stores are. */
export function describeMachine(folder) {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    Machine: `${processors.length} × ${processors[0].model}, ${memory} GiB`,
    System: `${systemName()}, Linux ${release()}`,
    Disk: `${fileSystemOf(folder)}, an fsync takes ${measureSyncMs(folder).toFixed(2)} ms`,
    'Load before': loadavg()
      .map((load) => load.toFixed(2))
      .join(', '),
  };
}

/** Names the mlog that is measured: its version and, in a clone, its commit. */
export async function describeMlog() {
  const { version } = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8'));
  try {
    const git = (...args) =>
      runProgram('git', ['-C', fileURLToPath(repository), ...args], { timeoutMs: 5_000 });
    const commit = (await git('rev-parse', '--short', 'HEAD')).trim();
    const changed = (await git('status', '--porcelain', '--', 'src', 'package.json')).trim();
    return `${version} (${commit}${changed && ', with changes'})`;
  } catch {
    return version;
  }
}

function systemName() {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))[1];
  } catch {
    return 'Linux';
  }
}
