import { openReferenceClient } from '../support/grpc.ts';
import type { Patch } from './build.ts';
import { atOnce, type Clients, openClients, types, upTo } from './clients.ts';
import { compareLists, listFaults, type Place } from './listings.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import type { Random } from './random.ts';
import { randomText } from './random-text.ts';
import { inScene } from './scene.ts';

const clientsCount = 8;
const idMaxBytes = 256;
type Message = { id: string; txt: string };

/** Sends a message one way. Returns as much of it as the reply shows. */
type Way = (message: Message, on: Place) => Promise<Partial<Message> | undefined>;

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
  'gRPC to logging': (message, { grpc }) =>
    grpc.logMessage(message).then(
      (status) => (status === 'Logged' ? {} : undefined),
      () => undefined,
    ),
  'JSON to a facade over gRPC': (message, { grpcFacade, clients }) =>
    post(clients, grpcFacade.facade, types.json, JSON.stringify(message)),
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

/** Formats an id for the header: a quoted string, with its bytes as Node expects them. */
const toKey = (id: string): string =>
  Buffer.from(`"${id.replace(/["\\]/g, '\\$&')}"`).toString('latin1');

/** A command line cannot carry NUL. A text that would be several words goes through stdin. */
const sendByCommand = async ({ id, txt }: Message, { scene, server }: Place): Promise<boolean> => {
  const byStdin = txt.includes('\0') || txt.startsWith('-');
  const to = ['--url', server.facade, `--id=${id}`];
  const { code } = await scene.run(['send', ...to, '--', byStdin ? '-' : txt], { input: txt });
  return code === 0;
};

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const count = pick({ short: 2000, full: 20_000, control: 1000 });
  const commands = pick({ short: 10, full: 200, control: 0 });
  const tally = createTally(
    ['texts', 'over gRPC', 'by command', 'bytes'],
    ['not taken', 'other echo', ...listFaults],
  );
  await inScene(build, async (scene) => {
    const server = await scene.serve('all');
    const to = ['--logging', server.grpc, '--messages', server.messages];
    const grpcFacade = await scene.serve('facade', { args: to });
    const clients = openClients(clientsCount);
    scene.defer(clients.close);
    const grpc = openReferenceClient(server.grpc);
    scene.defer(() => grpc.client.close());
    const place = { scene, server, grpcFacade, clients, grpc };
    const sent = new Map<string, string>();

    await atOnce(clientsCount, upTo(count), async (n) => {
      const way = random.pick(Object.keys(ways));
      const message = randomMessage(random, n, way === 'text to facade');
      sent.set(message.id, message.txt);
      if (way.includes('gRPC')) tally.did('over gRPC');
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
  // The number makes ids differ; the limit of bytes may cut off some of the rest.
  const free = randomText(random, random.whole(0, 40));
  const rest = isForHeader ? free.replace(/\p{Cc}/gu, '') : free;
  let id = `${n} ${rest}${isForHeader ? '.' : ''}`;
  while (Buffer.byteLength(id) > idMaxBytes) id = Array.from(id).slice(0, -1).join('');
  const txt = randomText(random, random.chance(0.02) ? 20_000 : random.whole(1, 60));
  // Many decoders drop this at the start of a text.
  return { id, txt: random.chance(0.05) ? `\ufeff${txt}` : txt };
};

/** Cuts a field as a C string would be. */
const cutAtNul = (field: 'id' | 'txt'): readonly Patch[] => [
  {
    find: 'const messages = [...unpackMessages(packed)];',
    replace: `const messages = [...unpackMessages(packed)].map((message) => {
      const end = message.${field}.indexOf(0);
      return end > 0 ? { ...message, ${field}: message.${field}.subarray(0, end) } : message;
    });`,
  },
];

/** Changes every text that is decoded from gRPC. */
const readAs = (expression: string): readonly Patch[] => [
  {
    find: `"A text is not valid UTF-8.");
        return bytes.toString();`,
    replace: `"A text is not valid UTF-8.");
        return ${expression};`,
  },
];

/** Text comes back byte for byte. */
export const proof: Proof = {
  name: 'P15',
  promise: 'Text comes back byte for byte',
  crashModel:
    'random Unicode over form, JSON, NDJSON, plain text, gRPC and the command line; read back by lists, gRPC and server-sent events',
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
    {
      name: 'a byte order mark dropped, over gRPC alone',
      catches: 'other text',
      patches: readAs('new TextDecoder().decode(bytes)'),
    },
    {
      name: 'text cut at NUL, over gRPC alone',
      catches: 'other text',
      patches: readAs(String.raw`/^[^\0]*/.exec(bytes.toString())[0] || bytes.toString()`),
    },
    {
      name: 'NUL is dropped from gRPC texts',
      catches: 'other list',
      patches: [
        {
          find: 'yield* encodePages(page);',
          replace: String.raw`yield* encodePages(
            page.map((entry) => ({ ...entry, txt: entry.txt.replaceAll("\0", "") })),
          );`,
        },
      ],
    },
  ],
};
