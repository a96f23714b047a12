import { callLogMessage } from '../load/grpc.js';
import { describeMlog } from '../system/machine.js';
import { countMessages, missingMlog, startMlog, storeIn } from '../system/mlog.js';

/** `mlog serve logging`, LogMessage over gRPC, default settings, on disk. */
export const mlogUnary = {
  name: 'mlog-unary',
  title: 'mlog logging, LogMessage over gRPC',
  missing: missingMlog,
  version: describeMlog,
  async start({ folder, storeFolder = folder }) {
    const args = ['logging', '--store', storeIn(storeFolder)];
    const { ready, pid, stop } = await startMlog('logging', args, folder);
    return {
      load: (settings) => callLogMessage(ready.grpc, settings),
      pids: { logging: pid },
      count: () => countMessages(ready.logging),
      stop,
    };
  },
};
