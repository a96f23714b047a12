import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { plainEnvironment, startServer, stopInOrder } from '../system/processes.js';

const services = fileURLToPath(new URL('../../test/support/reference/', import.meta.url));

/** The two Flask services of the reference, with messages in memory. */
export const flask = {
  name: 'flask',
  title: 'Flask pair, in memory (2 processes)',
  missing: () =>
    findPython() ? undefined : 'no python3 with flask here (Debian: apt-get install python3-flask)',
  version: () => `Flask ${ask(findPython(), flaskVersion)}`,
  async start({ folder }) {
    const logging = await startService('logging_service', [], folder);
    const loggingUrl = logging.match[1];
    // The messages service takes no part in a POST.
    const facade = await startService('facade_service', [loggingUrl, loggingUrl], folder);
    return {
      url: `${facade.match[1]}/`,
      pids: { facade: facade.pid, logging: logging.pid },
      stop: () => stopInOrder(facade, logging),
    };
  },
};

const flaskVersion = 'from importlib.metadata import version; print(version("flask"))';

function startService(name, urls, folder) {
  return startServer(findPython(), [join(services, `${name}.py`), '0', ...urls], {
    ready: /^listening on (\S+)$/m,
    logPath: join(folder, `${name}.log`),
    env: { PYTHONUTF8: '1' },
  });
}

// Debian's package works only with the system's Python, which need not come first in the PATH.
function findPython() {
  return ['/usr/bin/python3', 'python3'].find((python) => ask(python, flaskVersion));
}

function ask(python, code) {
  return spawnSync(python, ['-c', code], {
    env: plainEnvironment,
    encoding: 'utf8',
  }).stdout?.trim();
}
