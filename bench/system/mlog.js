import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startServer } from './processes.js';

/** The program that is measured. */
export const mlogProgram = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));

const built = fileURLToPath(new URL('../../dist/mlog.js', import.meta.url));

/** Says what is missing to run mlog; undefined if nothing is. */
export function missingMlog() {
  return existsSync(built) ? undefined : 'it is not built (npm run build)';
}

/**
 * Starts `mlog serve` with default settings on free ports, with its diagnostics in a file. `match`
 * is the parsed line that reports that it is ready.
 */
export async function startMlog(name, args, folder) {
  const server = await startServer(
    process.execPath,
    [mlogProgram, 'serve', ...args, '--port', '0'],
    { ready: /^.*"msg":"Ready".*$/m, logPath: join(folder, `${name}.log`) },
  );
  return { ...server, ready: JSON.parse(server.match[0]) };
}

/** Returns the address of the store in a folder, which holds one. */
export function storeIn(folder) {
  return `file:${join(folder, 'mlog.db')}`;
}

/** Returns how many messages a logging service holds. */
export async function countMessages(loggingUrl) {
  const { Client } = await import('undici');
  const client = new Client(loggingUrl);
  try {
    const { headers, body } = await client.request({ method: 'HEAD', path: '/logging' });
    await body.dump();
    return Number(headers['mlog-last-seq']);
  } finally {
    await client.close();
  }
}
