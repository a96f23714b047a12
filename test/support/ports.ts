import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Finds a port that is free and stays free while its server is down. The system assigns ports from
 * 32768 on to clients, and a client that tries to reach a dead server could get its very port.
 */
export const findPort = async (): Promise<number> => {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const listening = once(server, 'listening');
    server.listen(port, '127.0.0.1');
    const isFree = await listening.then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    const closed = once(server, 'close');
    server.close();
    await closed;
    return port;
  }
};
