import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { startServer } from '../system/processes.js';

const program = fileURLToPath(new URL('../servers/bare.js', import.meta.url));

/** The most that Node can do: a node:http server that reads the body and answers a constant. */
export const bare = {
  name: 'bare',
  title: 'bare node:http, stores nothing',
  missing: () => undefined,
  version: () => `Node ${process.version}`,
  async start({ folder }) {
    const server = await startServer(process.execPath, [program], {
      ready: /^listening on (\S+)$/m,
      logPath: join(folder, 'bare.log'),
    });
    return { url: server.match[1], pids: { bare: server.pid }, stop: server.stop };
  },
};
