import { readFile } from 'node:fs/promises';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { openReferenceClient } from '../support/grpc.ts';
import { upTo } from './clients.ts';
import { createTally, type Outcome, type Proof, type Scale } from './proof.ts';
import { inScene, type Server } from './scene.ts';

/** The most memory of the process, in MiB, as in P16. */
const rssMaxMiB = 512;
/** The announced size of each message, of which the end never arrives. */
const messageBytes = 12_000_000;
const missingBytes = 100_000;
const pieceBytes = 65_536;
const settleMs = 3000;
/** A broken build on a busy machine takes long to exceed the limit. */
const fillMaxMs = 30_000;
const stopMaxMs = 8000;

const run = async ({ build, pick }: Scale): Promise<Outcome> => {
  const [connections, callsEach] = pick({
    short: [4, 50] as const,
    full: [20, 200] as const,
    control: [1, 80] as const,
  });
  const tally = createTally(
    ['calls half sent', 'of these refused', 'messages of others', 'MiB of logging', 'ms to stop'],
    ['over the cap', 'others refused', 'stopped late'],
  );
  await inScene(build, async (scene) => {
    const logging = await scene.serve('logging');
    const url = logging.grpc.replace('grpc:', 'http:');
    const sessions = upTo(connections).map(() => connect(url).on('error', () => {}));
    scene.defer(() => sessions.forEach((session) => session.destroy()));
    let refused = 0;
    const calls = sessions.flatMap((session) =>
      upTo(callsEach).map(() => sendHalf(session, () => (refused += 1))),
    );
    const others = openReferenceClient(logging.grpc);
    scene.defer(() => others.client.close());
    const ends = performance.now() + pick({ short: settleMs, full: settleMs, control: fillMaxMs });
    let kept = 0;
    for (; performance.now() < ends; kept += 1) {
      await others.logMessage({ id: `other-${kept}`, txt: 'kept' }).catch((error: unknown) => {
        tally.found('others refused', String(error));
      });
      await sleep(10);
      if (kept % 20 === 0 && (await peakRssMiB(logging)) > rssMaxMiB) break;
    }
    const mib = await peakRssMiB(logging);
    if (mib > rssMaxMiB) tally.found('over the cap', `${mib} MiB of logging`);
    const began = performance.now();
    const { code } = await logging.kill('SIGTERM');
    const stopMs = Math.round(performance.now() - began);
    if (code !== 0 || stopMs > stopMaxMs) tally.found('stopped late', `${code} in ${stopMs} ms`);
    tally.did('calls half sent', calls.length);
    tally.did('of these refused', refused);
    tally.did('messages of others', kept);
    tally.did('MiB of logging', mib);
    tally.did('ms to stop', stopMs);
  });
  return tally.outcome();
};

/** Opens an append and sends all of a message but its end, as fast as the service accepts it. */
const sendHalf = (session: ClientHttp2Session, onRefused: () => void): ClientHttp2Stream => {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/LoggingService/Append',
    'content-type': 'application/grpc',
  });
  stream.on('error', () => {});
  stream.on('response', onRefused).resume();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(messageBytes, 1);
  const piece = Buffer.alloc(pieceBytes, 'x');
  let left = messageBytes - missingBytes;
  const send = (): void => {
    while (left > 0 && !stream.destroyed) {
      left -= piece.length;
      if (!stream.write(piece)) return;
    }
  };
  stream.on('drain', send);
  stream.write(head);
  send();
  return stream;
};

/** Returns the peak memory of a process in whole MiB (VmHWM: peak resident set). */
const peakRssMiB = async ({ pid }: Server): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
};

/** Whatever clients leave unfinished over gRPC, memory is bounded and others are served. */
export const proof: Proof = {
  name: 'P24',
  promise: `Bounded memory over gRPC: at most ${rssMaxMiB} MiB`,
  crashModel: 'unfinished appends of 12 MB each, on many calls of many connections',
  target: `RSS at most ${rssMaxMiB} MiB; every small message of others kept; a stop ends in time`,
  needs: ['proc'],
  run,
  controls: [
    {
      name: 'unfinished messages are not counted',
      catches: 'over the cap',
      patches: [
        {
          find: 'if (!this.#messages.count()) return this.refuseExcess(excessError());',
          replace: 'this.#messages.count();',
        },
      ],
    },
  ],
};
