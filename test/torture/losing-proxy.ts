import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What a losing proxy has seen: appends, lost replies, and how often each id was sent. */
export type Losses = { calls: number; lost: number; sent: Map<string, number> };

/** How a reply is lost: the connection is cut, or stays open without a word. */
export type Loss = 'cut' | 'silent';

/** A proxy that loses replies to appends; closing it cuts every connection. */
export type LosingProxy = { url: string; losses: Losses; close: () => Promise<void> };

/** A message may be lost so often; the third attempt, which is the last one, gets through. */
const lossesMaxCount = 2;

/**
 * Starts an HTTP proxy in front of a logging service. It hands every request on and waits for the
 * reply, so the service has done its work; then `isLost` decides whether the reply of an append
 * gets through. No message loses all three of its attempts: that would be an honest failure.
 */
export const startLosingProxy = async (
  targetUrl: string,
  isLost: () => boolean,
  loss: Loss = 'cut',
): Promise<LosingProxy> => {
  const losses: Losses = { calls: 0, lost: 0, sent: new Map() };
  const lostTimes = new Map<string, number>();
  const agent = new http.Agent({ keepAlive: true });

  const mayLose = (ids: readonly string[]): boolean => {
    losses.calls += 1;
    if (ids.some((id) => lostTimes.get(id) === lossesMaxCount) || !isLost()) return false;
    for (const id of ids) lostTimes.set(id, (lostTimes.get(id) ?? 0) + 1);
    losses.lost += 1;
    return true;
  };

  const pass = async (
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> => {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request);
    const ids = method === 'POST' ? idsOf(body) : [];
    for (const id of ids) losses.sent.set(id, (losses.sent.get(id) ?? 0) + 1);
    const passed = http.request(targetUrl + url, { method, headers, agent });
    passed.end(body);
    const [reply] = (await once(passed, 'response')) as [http.IncomingMessage];
    const text = await buffer(reply);
    if (method === 'POST' && mayLose(ids)) {
      if (loss === 'cut') request.socket.destroy();
    } else response.writeHead(reply.statusCode ?? 502, reply.headers).end(text);
  };

  const server = http.createServer((request, response) => {
    pass(request, response).catch(() => request.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    losses,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
};

const idsOf = (ndjson: Buffer): string[] =>
  ndjson
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { id: string }).id);
