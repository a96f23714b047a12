import { readEntries } from '../support/writers.ts';
import { atOnce, openClients, types, upTo } from './clients.ts';
import { startLosingProxy } from './losing-proxy.ts';
import type { Scene } from './scene.ts';

/** One of many messages that wait for a stopped logging service. */
export type Waited = {
  status: number;
  text: string;
  tookMs: number;
  /** How many attempts the reply reports. */
  told: number;
  /** How often the message was sent before it was answered. */
  sent: number;
};

const clientsCount = 64;

/**
 * Sends more messages at once than fit into the first batches, while the logging service is stopped
 * by SIGSTOP. Returns the outcome of each, and the ids that are stored once the service continues.
 */
export const sendWhilePaused = async (
  scene: Scene,
  attemptTimeoutMs: number,
): Promise<{ waited: Waited[]; stored: string[] }> => {
  const logging = await scene.serve('logging', { store: `${scene.store}-paused` });
  const proxy = await startLosingProxy(logging.logging, () => false);
  scene.defer(proxy.close);
  const pace = ['--attempt-timeout-ms', String(attemptTimeoutMs), '--batch-max-count', '8'];
  const facade = await scene.serve('facade', { args: ['--logging', proxy.url, ...pace] });
  const clients = openClients(clientsCount);
  scene.defer(clients.close);

  const send = async (id: string): Promise<Waited> => {
    const began = performance.now();
    const body = JSON.stringify({ id, txt: 'Its me' });
    const { status, text } = await clients.post(facade.facade, { type: types.json, body });
    const told = Number(/"error":"(\d+) attempts failed\./.exec(text)?.[1] ?? 0);
    const sent = proxy.losses.sent.get(id) ?? 0;
    return { status, text, tookMs: performance.now() - began, told, sent };
  };

  await send('before');
  process.kill(logging.pid, 'SIGSTOP');
  const waited: Waited[] = [];
  await atOnce(clientsCount, upTo(clientsCount), async (n) => {
    waited.push(await send(`waiting-${n}`));
  });
  process.kill(logging.pid, 'SIGCONT');
  return { waited, stored: (await readEntries(logging.logging)).map(({ id }) => id) };
};
