import { readEntries } from '../support/writers.ts';
import { atOnce, type Clients, openClients, types, upTo } from './clients.ts';
import { forgetfulDedup, noDedup } from './controls.ts';
import { journalFaults, judge } from './ledger.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Server } from './scene.ts';
import { delaySyncs } from './strace.ts';

const syncDelayMs = 20;

/** Sends one message. Returns whether it was answered as the first copy; undefined on an error. */
type Send = (clients: Clients, server: Server, message: Message) => Promise<boolean | undefined>;
type Message = { id: string; txt: string };

const sends: readonly Send[] = [
  async (clients, { logging }, message) => {
    const body = new URLSearchParams(message).toString();
    const { status } = await clients.post(`${logging}/logging`, { type: types.form, body });
    return status === 201 ? true : status === 200 ? false : undefined;
  },
  async (clients, { facade }, message) => {
    const body = JSON.stringify(message);
    const { status, headers } = await clients.post(facade, { type: types.json, body });
    return status === 200 ? headers['idempotent-replayed'] !== 'true' : undefined;
  },
  async (clients, { facade }, message) => {
    const body = `${JSON.stringify(message)}\n`;
    const { text } = await clients.post(facade, { type: types.ndjson, body });
    const { status } = JSON.parse(text) as { status: string };
    return status === 'logged' ? true : status === 'duplicate' ? false : undefined;
  },
];

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const [clientsCount, idsCount] = pick({
    short: [20, 300] as const,
    full: [50, 2000] as const,
    control: [10, 20] as const,
  });
  const faults = [...journalFaults, 'logged twice', 'never logged', 'failed'] as const;
  const tally = createTally(['ids', 'sent', 'logged', 'stored'], faults);
  await inScene(build, async (scene) => {
    const firsts = new Map<string, number>();
    const attempted = new Map<string, string>();
    for (const n of upTo(idsCount)) attempted.set(`id-${n}`, `the text of ${n}`);
    const messages = Array.from(attempted, ([id, txt]) => ({ id, txt }));

    /** One client sends each message once, in nearly the same order as all others. */
    const sendAll = async (clients: Clients, server: Server, send: Send): Promise<void> => {
      const from = random.whole(0, 20);
      for (const message of [...messages.slice(from), ...messages.slice(0, from)]) {
        const isFirst = await send(clients, server, message);
        tally.did('sent');
        if (isFirst === undefined) tally.found('failed', message.id);
        if (isFirst) firsts.set(message.id, (firsts.get(message.id) ?? 0) + 1);
      }
    };

    const sendFromHalf = async (server: Server): Promise<void> => {
      const half = clientsCount / 2;
      const clients = openClients(half);
      scene.defer(clients.close);
      await atOnce(half, upTo(half), (n) => sendAll(clients, server, sends[n % sends.length]!));
    };

    const server = await scene.serve('all', { through: delaySyncs(syncDelayMs) });
    await sendFromHalf(server);
    await server.kill();
    const next = await server.again();
    await next.ready;
    await sendFromHalf(next);

    for (const { id } of messages) {
      const count = firsts.get(id) ?? 0;
      tally.did('logged', count);
      if (count > 1) tally.found('logged twice', `${id}: ${count} times`);
      if (count === 0) tally.found('never logged', id);
    }
    const entries = await readEntries(next.logging);
    tally.did('ids', idsCount);
    tally.did('stored', entries.length);
    judge(tally, entries, { attempted, acknowledged: new Set(attempted.keys()) });
  });
  return tally.outcome();
};

/** One id is one message, however many clients send it, before and after a restart. */
export const proof: Proof = {
  name: 'P4',
  promise: 'One copy per id, through concurrency, retries and restart',
  crashModel: 'process killed; each sync 20 ms late',
  target: '2,000 stored, exactly one `logged` each, of 50 clients that send all of them',
  needs: ['strace'],
  run,
  controls: [
    { name: 'dedup off', catches: 'doubled', patches: noDedup },
    { name: 'dedup forgets after a restart', catches: 'logged twice', patches: forgetfulDedup },
  ],
};
