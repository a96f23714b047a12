import { fill } from '../client/fill.js';
import { makeFolder, removeFolder } from '../system/folders.js';
import { peakRssMiB } from '../system/memory.js';
import { measureBulk } from './bulk.js';
import { measurePosts } from './post.js';
import { takeTurns, withStarted } from './turns.js';

/** Random ids slow down a large store. Whatever it holds after this time is measured. */
const fillMaxSeconds = 900;

const kinds = [
  { ids: 'ids by mlog', withIds: false },
  { ids: 'random ids', withIds: true },
];

/** What an append costs when the store is large. */
export const growth = {
  name: 'growth',
  title: 'Growth: an empty store and a big one',
  about:
    'One process. Bulk as above, with ids made by mlog (UUIDv7) or by the client (UUIDv4), and ' +
    'forms over 64 connections. Start is from the start of the process to its line "Ready"; RSS ' +
    'is the peak after the appends.',
  metrics: [
    { name: 'perSecond', title: 'bulk messages/s' },
    { name: 'postsPerSecond', title: 'POST/s' },
    { name: 'startMs', title: 'start ms' },
    { name: 'rssMiB', title: 'peak RSS MiB' },
  ],
  references: [{ title: '× empty', of: (subject) => subject.replace(/^.*(?=, )/, 'empty') }],
  only: ['mlog'],
  async run(bench) {
    const [mlog] = bench.contenders;
    const cases = [];
    const folders = [];
    for (const { ids, withIds } of kinds) {
      const storeFolder = makeFolder('growth');
      folders.push(storeFolder);
      bench.log(`  filling a store with ${bench.growthCount} messages, ${ids}`);
      const limits = { withIds, maxSeconds: fillMaxSeconds };
      const held = await withStarted(mlog, { storeFolder }, ({ url }) =>
        fill(url, bench.growthCount, limits),
      );
      const measure = (running) => measureAppends(running, bench, withIds);
      const grown = held.toLocaleString('en-US');
      cases.push(
        { name: `empty, ${ids}`, measure: () => withStarted(mlog, {}, measure) },
        {
          name: `${grown} messages, ${ids}`,
          measure: () => withStarted(mlog, { storeFolder }, measure),
        },
      );
    }
    const results = await takeTurns(bench, cases);
    for (const folder of folders) removeFolder(folder);
    return results;
  },
};

async function measureAppends(running, bench, withIds) {
  const perSecond = await measureBulk(running, bench.bulkCount, { withIds });
  // A form has an id made by mlog; random ids are measured only in bulk.
  const posts = withIds ? undefined : await measurePosts(running, { ...bench, connections: 64 });
  return {
    perSecond,
    ...(posts && { postsPerSecond: posts.perSecond }),
    startMs: running.readyMs,
    rssMiB: peakRssMiB(running.pids.mlog),
  };
}
