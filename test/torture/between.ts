import { join } from 'node:path';
import { type Follower, startFollower } from '../support/events.ts';
import { request } from '../support/http.ts';
import { type Proxy, startProxy } from '../support/proxy.ts';
import {
  type ProxyName,
  proxyNames,
  type ProxyServer,
  startProxyServer,
} from '../support/proxy-server.ts';
import { readEntries, startWriters, type StoredEntry } from '../support/writers.ts';
import { openClients, types, upTo } from './clients.ts';
import { noDedup } from './controls.ts';
import { hasty } from './disturbance.ts';
import { joinLedgers, journalFaults, judge, type Ledger } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import type { Random } from './random.ts';
import { inScene, type Scene } from './scene.ts';

const [writersCount, followersCount] = [8, 4];
const cutProbability = 0.1;

const createCounts = () =>
  createTally(
    ['proxies', 'messages', 'lines in bulk', 'replies cut', 'lists', 'cut lists', 'stored'],
    [...journalFaults, 'parts reported as complete', 'bulk refused', 'events held back', 'misled'],
  );
type Counts = ReturnType<typeof createCounts>;

/** The services, with a real proxy and a proxy that cuts replies in front of each. */
type Chain = { url: string; logging: string; servers: ProxyServer[]; cutting: Proxy[] };

const openChain = async (scene: Scene, name: ProxyName): Promise<Chain> => {
  const openWay = async (target: string): Promise<[ProxyServer, Proxy]> => {
    const proxy = await startProxy(target);
    scene.defer(proxy.close);
    const server = await startProxyServer(name, proxy.url);
    scene.defer(server.close);
    return [server, proxy];
  };
  const { logging } = await scene.serve('logging');
  const [back, backCut] = await openWay(logging);
  const { facade } = await scene.serve('facade', { args: ['--logging', back.url, ...hasty] });
  const [front, frontCut] = await openWay(facade);
  return { url: front.url, logging, servers: [front, back], cutting: [frontCut, backCut] };
};

const mend = ({ cutting }: Chain): void => {
  for (const { faults } of cutting) faults.replyMaxBytes = () => Infinity;
};

/** Writes while replies are cut and both real proxies are restarted. */
const writeThroughCuts = async (
  chain: Chain,
  tally: Counts,
  { random, count }: { random: Random; count: number },
): Promise<Ledger> => {
  for (const { faults } of chain.cutting) {
    faults.replyMaxBytes = () => {
      if (!random.chance(cutProbability)) return Infinity;
      tally.did('replies cut');
      return random.whole(0, 300);
    };
  }
  const writers = startWriters(chain.url, writersCount);
  for (const server of chain.servers) {
    await writers.progress(count / 4);
    await server.restart();
  }
  await writers.progress(count / 2);
  mend(chain);
  await writers.stop();
  tally.did('messages', writers.attempted.size);
  return writers;
};

/** Sends more lines than one request holds, while some replies are cut. */
const sendBulk = async (
  scene: Scene,
  chain: Chain,
  tally: Counts,
  { random, count }: { random: Random; count: number },
): Promise<Ledger> => {
  const messages = upTo(count).map((n) => ({ id: `bulk-${n}`, txt: `line ${n} of the bulk` }));
  for (const { faults } of chain.cutting) {
    let calls = 0;
    // One of the first replies is cut; the remaining attempts succeed.
    faults.replyMaxBytes = () => ((calls += 1) === 2 ? random.whole(0, 20_000) : Infinity);
  }
  const input = messages.map((message) => `${JSON.stringify(message)}\n`).join('');
  const { code, stderr } = await scene.run(['send', '--ndjson', '--url', chain.url], { input });
  mend(chain);
  if (code !== 0) tally.found('bulk refused', `exit ${code}: ${stderr}`);
  tally.did('lines in bulk', count);
  return {
    attempted: new Map(messages.map(({ id, txt }) => [id, txt])),
    acknowledged: new Set(code === 0 ? messages.map(({ id }) => id) : []),
  };
};

/** Posts one message and waits until a current follower has it. */
const expectEvent = async (chain: Chain, follower: Follower, tally: Counts): Promise<Ledger> => {
  const clients = openClients(1);
  const message = { id: 'an event', txt: 'as it comes' };
  const body = JSON.stringify(message);
  const { status } = await clients.post(chain.url, { type: types.json, body });
  clients.close();
  const lastSeq = (await readEntries(chain.logging)).length;
  await follower.reach(lastSeq).catch((error: Error) => {
    tally.found('events held back', error.message);
  });
  return {
    attempted: new Map([[message.id, message.txt]]),
    acknowledged: new Set(status === 200 ? [message.id] : []),
  };
};

/** What is listed, and the probability that a reply is cut after a line. */
type Listing = { random: Random; behindLine: number; entries: readonly StoredEntry[] };

/** Reads everything, with a command and with a bare request, while one reply is cut. */
const listThroughCut = async (
  scene: Scene,
  chain: Chain,
  tally: Counts,
  { random, behindLine, entries }: Listing,
): Promise<void> => {
  const totalBytes = entries.reduce((sum, entry) => sum + JSON.stringify(entry).length, 0);
  const cutOnce = (): void => {
    let isCut = false;
    const { faults } = random.pick(chain.cutting);
    faults.cutsBehindLine = random.chance(behindLine);
    faults.replyMaxBytes = () => {
      if (isCut) return Infinity;
      isCut = true;
      tally.did('cut lists');
      return random.whole(0, totalBytes);
    };
  };
  const judgeList = (how: string, seqs: readonly number[]): void => {
    tally.did('lists');
    if (seqs.length === entries.length && seqs.at(-1) === entries.at(-1)?.seq) return;
    tally.found('parts reported as complete', `${how}: ${seqs.length} of ${entries.length}`);
  };

  cutOnce();
  const listed = await scene.run(['list', '--json', '--url', chain.url]);
  mend(chain);
  if (listed.code === 0) judgeList('mlog list', seqsOf(listed.stdout));

  cutOnce();
  const copy = join(scene.folder, `copy-${random.whole(0, 2 ** 31)}.db`);
  const backup = await scene.run(['backup', copy, '--json', '--url', chain.url]);
  mend(chain);
  if (backup.code === 0) {
    const { copied } = JSON.parse(backup.stdout) as { copied: number };
    judgeList(
      'mlog backup',
      entries.slice(0, copied).map(({ seq }) => seq),
    );
  }

  cutOnce();
  const headers = { accept: types.ndjson };
  const reply = await request(chain.url, { headers }).catch(() => undefined);
  mend(chain);
  if (reply?.status !== 200) return;
  // A body that ends with its connection looks complete; the head tells where it should end.
  const seqs = seqsOf(reply.text);
  if (seqs.at(-1) === Number(reply.headers['mlog-last-seq'])) judgeList('GET /', seqs);
};

/** Returns the numbers of the complete lines. */
const seqsOf = (ndjson: string): number[] =>
  ndjson
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as StoredEntry).seq);

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const names = pick({ short: proxyNames, full: proxyNames, control: ['nginx'] as ProxyName[] });
  const [count, linesCount, listsCount] = pick({
    short: [200, 12_000, 3] as const,
    full: [5000, 50_000, 50] as const,
    control: [100, 2000, 6] as const,
  });
  const behindLine = pick({ short: 0.5, full: 0.5, control: 1 });
  const tally = createCounts();
  for (const name of names) {
    await inScene(build, async (scene) => {
      const chain = await openChain(scene, name);
      const followers = upTo(followersCount).map((n) =>
        startFollower(chain.url, n % 2 === 0 ? 'after' : 'Last-Event-ID'),
      );
      for (const { close } of followers) scene.defer(close);
      const ledgers = [
        await writeThroughCuts(chain, tally, { random, count }),
        await sendBulk(scene, chain, tally, { random, count: linesCount }),
        await expectEvent(chain, followers[0]!, tally),
      ];
      const entries = await readEntries(chain.logging);
      judge(tally, entries, joinLedgers(ledgers));
      await Promise.all(followers.map((follower) => judgeFollower(follower, entries, tally)));
      for (const _ of upTo(listsCount)) {
        await listThroughCut(scene, chain, tally, { random, behindLine, entries });
      }
      tally.did('proxies');
      tally.did('stored', entries.length);
    });
  }
  return tally.outcome();
};

const judgeFollower = async (
  follower: Follower,
  entries: readonly StoredEntry[],
  tally: Counts,
): Promise<void> => {
  await follower.reach(entries.length).catch((error: Error) => {
    tally.found('events held back', error.message);
  });
  await follower.close();
  const wrong = follower.entries.find(({ seq, id }, n) => seq !== n + 1 || entries[n]?.id !== id);
  if (wrong) tally.found('misled', `${wrong.id} as ${wrong.seq}`);
  for (const oddity of follower.oddities) tally.found('misled', oddity);
};

/** A proxy between client and services may delay, buffer and cut; it changes no outcome. */
export const proof: Proof = {
  name: 'P22',
  promise: 'Proxies change no outcome',
  crashModel:
    'nginx, haproxy and Caddy with their defaults, in front of facade and logging; replies cut anywhere; the proxies killed',
  target: 'a cut list is never a success; bulk and events pass; 0 lost, 0 doubled',
  needs: ['proxies'],
  run,
  controls: [
    {
      name: 'a list that ends early is a success',
      catches: 'parts reported as complete',
      patches: [{ find: 'if (position < to) throw cutError(position, to);', replace: '' }],
    },
    {
      name: 'proxies are not told to forward events',
      catches: 'events held back',
      patches: [{ find: '"X-Accel-Buffering": "no"', replace: '"X-Accel-Buffering": "yes"' }],
    },
    { name: 'dedup off', catches: 'doubled', patches: noDedup },
  ],
};
