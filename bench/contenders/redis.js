import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { appendToRedis } from '../load/redis.js';
import { runProgram, startServer } from '../system/processes.js';
import { findProgram, missingPrograms, programVersion } from '../system/programs.js';

const script = readFileSync(new URL('../load/append.lua', import.meta.url), 'utf8');

/** Redis with a sync before each reply: SET NX and XADD in one script, from redis-benchmark. */
export const redis = {
  name: 'redis',
  title: 'Redis, appendfsync always, SET NX + XADD',
  missing: () =>
    missingPrograms(['redis-server', 'redis-cli', 'redis-benchmark'], 'redis-server redis-tools'),
  version: () => `Redis ${programVersion('redis-server', '--version')}`,
  async start({ folder }) {
    const port = await freePort();
    const config = join(folder, 'redis.conf');
    writeFileSync(
      config,
      `bind 127.0.0.1\nport ${port}\ndir "${folder}"\n` +
        'save ""\nappendonly yes\nappendfsync always\n',
    );
    const server = await startServer(findProgram('redis-server'), [config], {
      ready: /Ready to accept connections/,
      logPath: join(folder, 'redis.log'),
    });
    const load = ['-h', '127.0.0.1', '-p', String(port), 'SCRIPT', 'LOAD', script];
    const sha = (await runProgram(findProgram('redis-cli'), load, { timeoutMs: 5_000 })).trim();
    return {
      load: (settings) => appendToRedis({ port, sha }, settings),
      pids: { redis: server.pid },
      stop: server.stop,
    };
  },
};

/** Redis has no port 0. A port that is free now will most likely be free a moment later. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
