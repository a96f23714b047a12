import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What the proxy saw: appends, lost replies, and how often each id was sent. */
export type Losses = { calls: number; lost: number; sent: Map<string, number> };

/** How a reply is lost: the connection is cut, or stays open in silence. */
export type Loss = 'cut' | 'silent';

/** A proxy that loses replies to appends. Closing it cuts every connection. */
export type LosingProxy = { url: string; losses: Losses; close: () => Promise<void> };

/** How often a message may be lost: its third and last attempt succeeds. */
const lossesMaxCount = 2;

/**
 * Starts an HTTP proxy in front of a logging service. It forwards every request and waits for the
 * reply, so that the service has done its work. Then `isLost` decides whether the reply to an
 * append is passed on. No message loses all of its three attempts, which would be an honest
 * failure.
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
