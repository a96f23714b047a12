import { describeMlog } from '../system/machine.js';
import { countMessages, missingMlog, startMlog, storeIn } from '../system/mlog.js';
import { stopInOrder } from '../system/processes.js';

/** `mlog serve facade` before `mlog serve logging`, over HTTP, default settings, on disk. */
export const mlogApart = {
  name: 'mlog-apart',
  title: 'mlog facade + logging (2 processes)',
  missing: missingMlog,
  version: describeMlog,
  async start({ folder, storeFolder = folder }) {
    const logging = await startMlog(
      'logging',
      ['logging', '--store', storeIn(storeFolder)],
      folder,
    );
    const { logging: loggingUrl } = logging.ready;
    const facade = await startMlog('facade', ['facade', '--logging', loggingUrl], folder);
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
