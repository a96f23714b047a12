import { describeMlog } from '../system/machine.js';
import { countMessages, missingMlog, startMlog, storeIn } from '../system/mlog.js';

/** `mlog serve`: all three services in one process, default settings, a store on disk. */
export const mlog = {
  name: 'mlog',
  title: 'mlog serve (1 process)',
  missing: missingMlog,
  version: describeMlog,
  async start({ folder, storeFolder = folder }) {
    const ports = ['--logging-port', '0', '--messages-port', '0'];
    const args = ['--store', storeIn(storeFolder), ...ports];
    const server = await startMlog('mlog', args, folder);
    const { facade, logging } = server.ready;
    return {
      url: `${facade}/`,
      loggingUrl: logging,
      pids: { mlog: server.pid },
      readyMs: server.readyMs,
      count: () => countMessages(logging),
      stop: server.stop,
    };
  },
};
