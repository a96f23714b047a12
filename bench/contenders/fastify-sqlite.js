import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { runProgram, startServer } from '../system/processes.js';
import { packageVersion } from '../system/programs.js';

const program = fileURLToPath(new URL('../servers/fastify.js', import.meta.url));
const packages = fileURLToPath(new URL('..', import.meta.url));
const buildTimeoutMs = 300_000;
const standIn = '@photostructure/sqlite';

let driver;

/**
 * What a Node developer would write: Fastify and better-sqlite3, with one synced insert per
 * request.
 */
export const fastifySqlite = {
  name: 'fastify-sqlite',
  title: 'Fastify + SQLite, synchronous=FULL',
  missing: () => undefined,
  version: () => `Fastify ${packageVersion('fastify')}, ${driver} ${packageVersion(driver)}`,
  /**
   * Compiles better-sqlite3, which takes a minute or two. If that fails, another driver replaces
   * it.
   */
  async prepare({ isCheck }) {
    driver = (await canLoad()) || (!isCheck && (await compile())) ? 'better-sqlite3' : standIn;
  },
  async start({ folder }) {
    const args = [program, join(folder, 'messages.db'), driver];
    const server = await startServer(process.execPath, args, {
      ready: /^listening on (\S+)$/m,
      logPath: join(folder, 'fastify.log'),
    });
    return { url: server.match[1], pids: { fastify: server.pid }, stop: server.stop };
  },
};

async function canLoad() {
  try {
    const { default: Database } = await import('better-sqlite3');
    new Database(':memory:').close();
    return true;
  } catch {
    return false;
  }
}

async function compile() {
  // Install scripts are off in .npmrc, so that an installation takes seconds.
  const args = ['--prefix', packages, 'rebuild', 'better-sqlite3', '--ignore-scripts=false'];
  try {
    await runProgram('npm', [...args, '--build-from-source'], { timeoutMs: buildTimeoutMs });
    return await canLoad();
  } catch {
    return false;
  }
}
