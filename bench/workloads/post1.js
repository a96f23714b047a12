import { makeFolder, removeFolder } from '../system/folders.js';
import { measureSyncMs } from '../system/sync.js';
import { measurePosts } from './post.js';
import { takeTurns, turnOf } from './turns.js';

/** How long a lone message takes. */
export const post1 = {
  name: 'post1',
  title: 'POST over one connection',
  about:
    'The same forms, one at a time. The fsync is that of a file to which 4 KiB were appended, on ' +
    'the disk of the stores; the reference is the time of the bare proxy and of one fsync added up.',
  metrics: [
    { name: 'medianMs', title: 'median ms' },
    { name: 'p99Ms', title: 'p99 ms' },
  ],
  references: [{ title: '× (bare proxy + fsync)', of: () => 'bare-proxy + fsync' }],
  async run(bench) {
    const settings = { ...bench, connections: 1 };
    const cases = bench.contenders.map((contender) =>
      turnOf(contender, (running) => measurePosts(running, settings)),
    );
    const results = await takeTurns(bench, [...cases, { name: 'fsync', measure: measureSync }]);
    addSums(results);
    return results;
  },
};

function measureSync() {
  const folder = makeFolder('sync');
  const medianMs = measureSyncMs(folder);
  removeFolder(folder);
  return { medianMs };
}

/** Adds the reference: the time of the bare proxy plus one fsync, round by round. */
function addSums(results) {
  const syncs = results.values('fsync', 'medianMs');
  for (const [round, proxyMs] of results.values('bare-proxy', 'medianMs').entries()) {
    results.add('bare-proxy + fsync', { medianMs: proxyMs + syncs[round] });
  }
}
