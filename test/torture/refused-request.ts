import { once } from 'node:events';
import { connect } from 'node:net';
import type { Reply } from '../support/http.ts';
import { readEntries } from '../support/writers.ts';
import { atOnce, type Clients, openClients, types, upTo } from './clients.ts';
import { journalFaults, judge } from './ledger.ts';
import { makeMalformed, type Malformed } from './malformed.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Server } from './scene.ts';

const clientsCount = 16;

const run = async ({ build, random, pick }: Scale): Promise<Outcome> => {
  const count = pick({ short: 4000, full: 20_000, control: 500 });
  const tally = createTally(
    ['malformed', 'cut off', 'good ones between', 'stored'],
    [...journalFaults, 'not refused'],
  );
  await inScene(build, async (scene) => {
    const server = await scene.serve('all');
    const clients = openClients(clientsCount);
    scene.defer(clients.close);
    const attempted = new Map<string, string>();

    await atOnce(clientsCount, upTo(count), async (n) => {
      // Good requests in between show that the service still stores valid messages.
      if (n % 50 === 0) {
        await sendGood(clients, server, `good-${n}`, attempted);
        tally.did('good ones between');
      }
      if (n % 50 === 25) {
        await sendCutOff(server, `cut-${n}`);
        tally.did('cut off');
      }
      const malformed = makeMalformed(random, `bad-${n}`);
      const { service, type, body, headers = {} } = malformed;
      const url = service === 'facade' ? server.facade : `${server.logging}/logging`;
      const reply = await clients.post(url, { type, body, headers });
      tally.did('malformed');
      if (!isRefused(reply, malformed)) {
        tally.found('not refused', `${malformed.kind}: ${reply.status} ${reply.text}`);
      }
    });

    const entries = await readEntries(server.logging);
    tally.did('stored', entries.length);
    judge(tally, entries, { attempted, acknowledged: new Set(attempted.keys()) });
  });
  return tally.outcome();
};

const isRefused = ({ status, text }: Reply, { answersLines }: Malformed): boolean => {
  if (!answersLines) return status >= 400 && status < 500;
  const lines = text.trimEnd().split('\n');
  return status === 200 && lines.every((line) => line.includes('"status":"refused"'));
};

const sendGood = async (
  clients: Clients,
  { facade }: Server,
  id: string,
  attempted: Map<string, string>,
): Promise<void> => {
  const body = JSON.stringify({ id, txt: 'good' });
  attempted.set(id, 'good');
  const { status, text } = await clients.post(facade, { type: types.json, body });
  if (status !== 200) throw new Error(`A good message was answered ${status} ${text}`);
};

/** Sends a request whose body ends early, and disconnects. */
const sendCutOff = async ({ logging }: Server, id: string): Promise<void> => {
  const { hostname, port } = new URL(logging);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  const body = `id=${id}&txt=a`;
  const head = `POST /logging HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: ${types.form}\r\n`;
  socket.end(`${head}Content-Length: ${body.length + 1}\r\n\r\n${body}`);
  socket.resume();
  await closed;
};

/** What is refused is not stored. */
export const proof: Proof = {
  name: 'P8',
  promise: 'A 4xx was never stored',
  crashModel: 'malformed requests',
  target: '0 present of 20,000',
  needs: [],
  run,
  controls: [
    {
      name: 'each line stored as it is read',
      catches: 'phantom',
      patches: [
        {
          find: 'limits.appendMaxCount, (fields) => service.parse(fields)',
          replace: `limits.appendMaxCount, (fields) => {
            const message = service.parse(fields);
            void service.log(message);
            return message;
          }`,
        },
      ],
    },
    {
      name: 'bytes repaired to UTF-8',
      catches: 'not refused',
      patches: [
        {
          find: 'throw new MlogError("invalid_argument", "The body is not valid UTF-8.");',
          replace: 'void 0;',
        },
      ],
    },
  ],
};
