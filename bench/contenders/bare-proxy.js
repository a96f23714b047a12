import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { startServer, stopInOrder } from '../system/processes.js';
import { packageVersion } from '../system/programs.js';
import { bare } from './bare.js';

const program = fileURLToPath(new URL('../servers/proxy.js', import.meta.url));

/** The most that two processes of Node can do: node:http, an undici Pool, and the bare server. */
export const bareProxy = {
  name: 'bare-proxy',
  title: 'bare proxy, stores nothing (2 processes)',
  missing: () => undefined,
  version: () => `undici ${packageVersion('undici')}`,
  async start({ folder }) {
    const upstream = await bare.start({ folder });
    const proxy = await startServer(process.execPath, [program, upstream.url], {
      ready: /^listening on (\S+)$/m,
      logPath: join(folder, 'proxy.log'),
    });
    return {
      url: proxy.match[1],
      pids: { proxy: proxy.pid, ...upstream.pids },
      stop: () => stopInOrder(proxy, upstream),
    };
  },
};
