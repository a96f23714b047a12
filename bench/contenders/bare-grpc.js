import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { callLogMessage } from '../load/grpc.js';
import { startServer } from '../system/processes.js';

const program = fileURLToPath(new URL('../servers/grpc.js', import.meta.url));

/** The most that grpc-js can do: a server that answers each LogMessage with a constant. */
export const bareGrpc = {
  name: 'bare-grpc',
  title: 'bare grpc-js, stores nothing',
  missing: () => undefined,
  version: () => `Node ${process.version}`,
  async start({ folder }) {
    const server = await startServer(process.execPath, [program], {
      ready: /^listening on (\S+)$/m,
      logPath: join(folder, 'bare-grpc.log'),
    });
    return {
      load: (settings) => callLogMessage(server.match[1], settings),
      pids: { 'bare-grpc': server.pid },
      stop: server.stop,
    };
  },
};
