import { describeMlog } from '../system/machine.js';
import { countMessages, missingMlog, startMlog, storeIn } from '../system/mlog.js';
import { stopInOrder } from '../system/processes.js';

/**
 * `mlog serve facade` in front of `mlog serve logging`, over HTTP, with default settings, on disk.
 */
export const mlogApart = apart('mlog-apart', 'mlog facade + logging (2 processes)', 'logging');

/** The same over gRPC. */
export const mlogGrpc = apart('mlog-grpc', 'mlog facade + logging over gRPC (2 processes)', 'grpc');

/**
 * Returns the contender of two processes, with the wire to logging by its name in the start line.
 */
function apart(name, title, wire) {
  return {
    name,
    title,
    missing: missingMlog,
    version: describeMlog,
    async start({ folder, storeFolder = folder }) {
      const logging = await startMlog(
        'logging',
        ['logging', '--store', storeIn(storeFolder)],
        folder,
      );
      const { logging: loggingUrl } = logging.ready;
      const facade = await startMlog(
        'facade',
        ['facade', '--logging', logging.ready[wire]],
        folder,
      );
      return {
        url: `${facade.ready.facade}/`,
        loggingUrl,
        pids: { facade: facade.pid, logging: logging.pid },
        count: () => countMessages(loggingUrl),
        pauseLogging: () => logging.signal('SIGSTOP'),
        resumeLogging: () => logging.signal('SIGCONT'),
        stop: () => stopInOrder(facade, logging),
      };
    },
  };
}
