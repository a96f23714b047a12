import { readEntries } from '../support/writers.ts';
import type { Patch } from './build.ts';
import { atOnce, type Clients, openClients, types, upTo } from './clients.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import type { Random } from './random.ts';
import { randomText } from './random-text.ts';
import { inScene, type Scene, type Server } from './scene.ts';

const clientsCount = 8;
const idMaxBytes = 256;
const createCounts = () =>
  createTally(
    ['texts', 'by command', 'bytes'],
    ['not taken', 'other echo', 'other text', 'other list', 'not found'],
  );
type Counts = ReturnType<typeof createCounts>;

type Message = { id: string; txt: string };

/** Sends a message one way; gives it back as the reply told it, where it tells it. */
type Way = (message: Message, on: Place) => Promise<Partial<Message> | undefined>;
type Place = { scene: Scene; server: Server; clients: Clients };

const ways: Record<string, Way> = {
  'form to facade': ({ id, txt }, { server, clients }) =>
    post(clients, server.facade, types.form, new URLSearchParams({ id, txt }).toString()),
  'JSON to facade': (message, { server, clients }) =>
    post(clients, server.facade, types.json, JSON.stringify(message)),
  'text to facade': ({ id, txt }, { server, clients }) =>
    post(clients, server.facade, types.text, txt, { 'idempotency-key': toKey(id) }),
  'NDJSON to facade': (message, { server, clients }) =>
    post(clients, server.facade, types.ndjson, `${JSON.stringify(message)}\n`),
  'form to logging': async ({ id, txt }, { server, clients }) => {
    const body = new URLSearchParams({ id, txt }).toString();
    const { status } = await clients.post(`${server.logging}/logging`, { type: types.form, body });
    return status === 201 ? {} : undefined;
  },
  'JSON to logging': (message, { server, clients }) =>
    post(clients, `${server.logging}/logging`, types.json, JSON.stringify(message)),
  'NDJSON to logging': (message, { server, clients }) =>
    post(clients, `${server.logging}/logging`, types.ndjson, JSON.stringify(message)),
};

const post = async (
  clients: Clients,
  url: string,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Partial<Message> | undefined> => {
  const { status, text } = await clients.post(url, { type, body, headers });
  if (status !== 200 && status !== 201) return undefined;
  return JSON.parse(text) as Partial<Message>;
};

/** An id as the header can carry it: a quoted string, its bytes as Node takes them. */
const toKey = (id: string): string =>
  Buffer.from(`"${id.replace(/["\\]/g, '\\$&')}"`).toString('latin1');

/** A command line carries no NUL, and the text comes by stdin where it is one word too many. */
const sendByCommand = async ({ id, txt }: Message, { scene, server }: Place): Promise<boolean> => {
  const byStdin = txt.includes('\0') || txt.startsWith('-');
  const to = ['--url', server.facade, `--id=${id}`];
  const { code } = await scene.run(['send', ...to, '--', byStdin ? '-' : txt], { input: txt });
  return code === 0;
};

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const count = pick({ short: 2000, full: 20_000, control: 200 });
  const commands = pick({ short: 10, full: 200, control: 0 });
  const tally = createCounts();
  await inScene(build, async (scene) => {
    const server = await scene.serve('all');
    const clients = openClients(clientsCount);
    scene.defer(clients.close);
    const place = { scene, server, clients };
    const sent = new Map<string, string>();

    await atOnce(clientsCount, upTo(count), async (n) => {
      const way = random.pick(Object.keys(ways));
      const message = randomMessage(random, n, way === 'text to facade');
      sent.set(message.id, message.txt);
      const echo = await ways[way]!(message, place);
      if (!echo) tally.found('not taken', `${way}: ${JSON.stringify(message)}`);
      for (const name of ['id', 'txt'] as const) {
        if (echo?.[name] !== undefined && echo[name] !== message[name]) {
          tally.found('other echo', `${way}: ${JSON.stringify([echo[name], message[name]])}`);
        }
      }
    });
    for (const n of upTo(commands)) {
      const message = randomMessage(random, count + n, true);
      sent.set(message.id, message.txt);
      if (!(await sendByCommand(message, place))) {
        tally.found('not taken', `by command: ${JSON.stringify(message)}`);
      }
    }
    tally.did('texts', count);
    tally.did('by command', commands);
    for (const txt of sent.values()) tally.did('bytes', Buffer.byteLength(txt));
    await compareLists(sent, place, tally);
  });
  return tally.outcome();
};

const randomMessage = (random: Random, n: number, isForHeader: boolean): Message => {
  // The number makes ids differ; some of the rest may be cut off by its limit of bytes.
  const free = randomText(random, random.whole(0, 40));
  const rest = isForHeader ? free.replace(/\p{Cc}/gu, '') : free;
  let id = `${n} ${rest}${isForHeader ? '.' : ''}`;
  while (Buffer.byteLength(id) > idMaxBytes) id = Array.from(id).slice(0, -1).join('');
  return { id, txt: randomText(random, random.chance(0.02) ? 20_000 : random.whole(1, 60)) };
};

/** Everything that lists must list what was sent: entries, one by one, texts, and the command. */
const compareLists = async (
  sent: ReadonlyMap<string, string>,
  { scene, server, clients }: Place,
  tally: Counts,
): Promise<void> => {
  const entries = await readEntries(server.logging);
  const found = new Map(entries.map(({ id, txt }) => [id, txt]));
  for (const [id, txt] of sent) {
    const there = found.get(id);
    if (there === undefined) tally.found('not found', JSON.stringify(id));
    else if (there !== txt) tally.found('other text', JSON.stringify([txt, there]));
  }
  const inOrder = JSON.stringify(entries.map(({ txt }) => txt));
  const { text } = await clients.get(`${server.logging}/logging`);
  if (text !== `${inOrder}\n`) tally.found('other list', 'GET /logging');

  const facade = await clients.get(server.facade);
  const [logged] = JSON.parse(facade.text) as string[];
  if (logged !== `logging-service: ${inOrder}\n`) tally.found('other list', 'GET / of the facade');

  const { stdout } = await scene.run(['list', '--json', '--url', server.facade]);
  const listed = stdout.split('\n').filter(Boolean);
  if (
    JSON.stringify(listed.map((line) => JSON.parse(line) as unknown)) !== JSON.stringify(entries)
  ) {
    tally.found('other list', 'mlog list --json');
  }
  for (const { id, txt } of entries.filter((_, index) => index % 20 === 0)) {
    const one = await clients.get(`${server.logging}/logging?id=${encodeURIComponent(id)}`);
    if ((JSON.parse(one.text) as Message).txt !== txt) tally.found('not found', one.text);
  }
};

/** What a C string would make of it. */
const cutAtNul = (field: 'id' | 'txt'): readonly Patch[] => [
  {
    find: 'const messages = [...unpackMessages(packed)];',
    replace: `const messages = [...unpackMessages(packed)].map((message) => {
      const end = message.${field}.indexOf(0);
      return end > 0 ? { ...message, ${field}: message.${field}.subarray(0, end) } : message;
    });`,
  },
];

/** What goes in comes out, to the byte. */
export const proof: Proof = {
  name: 'P15',
  promise: 'Text comes back byte for byte',
  crashModel: 'random Unicode over form, JSON, NDJSON, plain text and the command line',
  target: '0 differences',
  needs: [],
  run,
  controls: [
    { name: 'text cut at NUL', catches: 'other text', patches: cutAtNul('txt') },
    { name: 'id cut at NUL', catches: 'not found', patches: cutAtNul('id') },
    {
      name: 'text trimmed',
      catches: 'other text',
      patches: [{ find: '  return txt;\n}', replace: '  return txt.trim() || txt;\n}' }],
    },
  ],
};
