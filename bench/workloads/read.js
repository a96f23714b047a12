import { download } from '../client/download.js';
import { fill } from '../client/fill.js';
import { watchLivez } from '../client/livez.js';
import { makeFolder, removeFolder } from '../system/folders.js';
import { peakRssMiB } from '../system/memory.js';
import { takeTurns, withStarted } from './turns.js';

const ndjson = 'application/x-ndjson';

/** The listings to read: from which service, where, and in which representation. */
const listings = [
  { name: 'mlog, array of texts', of: 'mlog', from: 'logging', accept: 'application/json' },
  { name: 'mlog, NDJSON', of: 'mlog', from: 'logging', accept: ndjson },
  { name: 'mlog, NDJSON by the facade', of: 'mlog', from: 'facade', accept: ndjson },
  { name: 'mlog-apart, NDJSON by the facade', of: 'mlog-apart', from: 'facade', accept: ndjson },
];

/** How fast, and at what cost, a large journal is read. */
export const read = {
  name: 'read',
  title: 'Reading a big journal',
  about:
    'One client reads everything. Peak RSS is that of the process since its start. The longest ' +
    'hold is the longest answer of `/livez`, asked every 5 ms by another thread meanwhile, of ' +
    'each process; it includes what the client and the kernel add on a busy machine.',
  metrics: [
    { name: 'perSecond', title: 'entries/s' },
    { name: 'rssMiB', title: 'peak RSS MiB' },
    { name: 'loggingRssMiB', title: 'of the logging process' },
    { name: 'longestHoldMs', title: 'longest hold ms' },
  ],
  references: [],
  only: ['mlog', 'mlog-apart'],
  async run(bench) {
    const storeFolder = makeFolder('read');
    const [filler] = bench.contenders;
    bench.log(`  filling a store with ${bench.readCount} messages`);
    await withStarted(filler, { storeFolder }, ({ url }) => fill(url, bench.readCount));
    const cases = listings.flatMap((listing) => {
      const contender = bench.contenders.find(({ name }) => name === listing.of);
      if (!contender) return [];
      const measure = (running) => measureListing(running, listing, bench.readCount);
      return {
        name: listing.name,
        measure: () => withStarted(contender, { storeFolder }, measure),
      };
    });
    const results = await takeTurns(bench, cases);
    removeFolder(storeFolder);
    return results;
  },
};

async function measureListing({ url, loggingUrl, pids }, { from, accept }, count) {
  const watch = watchLivez([...new Set([url, loggingUrl])]);
  const target = from === 'facade' ? url : `${loggingUrl}/logging`;
  const { bytes, lines, tookMs } = await download(target, accept);
  const longestHoldMs = await watch.stop();
  // An array is one line: each text has 50 bytes, two quotes and a comma, except the last.
  const entries = accept === ndjson ? lines : (bytes - 2) / 53;
  if (entries !== count) throw new Error(`${entries} of ${count} entries`);
  const rss = { rssMiB: peakRssMiB(pids.mlog ?? pids.facade) };
  if (pids.logging) rss.loggingRssMiB = peakRssMiB(pids.logging);
  return { perSecond: (count / tookMs) * 1_000, ...rss, longestHoldMs };
}
