import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy whose replies end with their connections. */
export type ClosingProxy = {
  url: string;
  /** Ends the next reply after this many bytes of its body, as if it were complete. */
  cutNext: (bodyBytes: number) => void;
  /** Returns how many replies were cut. */
  cuts: () => number;
  close: () => Promise<void>;
};

/**
 * Starts a proxy that speaks HTTP/1.0 to the service, as nginx does by default, so that the service
 * ends a body of unknown length by closing the connection. The reply is passed on in that form: a
 * client cannot tell a body that was cut from a complete one.
 */
export const startClosingProxy = async (targetUrl: string): Promise<ClosingProxy> => {
  const { hostname, port } = new URL(targetUrl);
  const limits: number[] = [];
  let cuts = 0;
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    track(client);
    track(target);
    let isHead = false;
    client.on('error', () => target.destroy()).on('close', () => target.destroy());
    target.on('error', () => client.destroy());
    client.once('data', (head: Buffer) => {
      isHead = head.subarray(0, 5).toString() === 'HEAD ';
      const lines = head.toString('latin1').replace(/ HTTP\/1\.1\r\n/, ' HTTP/1.0\r\n');
      target.write(lines.replace(/\r\nconnection: [^\r]*/i, ''), 'latin1');
    });
    let head: string | undefined = '';
    let left = Infinity;
    target.on('data', (piece: Buffer) => {
      let body = piece;
      if (head !== undefined) {
        head += piece.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        client.write(head.slice(0, end + 4), 'latin1');
        body = Buffer.from(head.slice(end + 4), 'latin1');
        // A reply of known length shows by itself that it was cut.
        const isOpenEnded = !isHead && !/\r\ncontent-length:/i.test(head.slice(0, end + 2));
        if (isOpenEnded && limits.length > 0) left = limits.shift()!;
        head = undefined;
      }
      const taken = body.subarray(0, left);
      left -= taken.length;
      if (left > 0) return void client.write(taken);
      client.end(taken);
      target.destroy();
      left = Infinity;
      cuts += 1;
    });
    target.on('end', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutNext: (bodyBytes) => void limits.push(bodyBytes),
    cuts: () => cuts,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
};
