import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/config.ts';
import { readBody, streamBody } from '../../../src/http/server/body.ts';
import { mediaTypes } from '../../../src/http/formats.ts';
import { json } from '../../../src/http/server/reply.ts';
import { startServer, type Server } from '../../../src/http/server/server.ts';
import { createLogger } from '../../../src/observe/logger.ts';

async function* toTexts(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const piece of pieces) yield piece.toString();
}

describe('a request body', () => {
  const limits = { bodyMaxBytes: 100, bodiesMaxBytes: 400, requestTimeoutMs: 300 };
  let server: Server;
  let reading: Promise<Buffer> | undefined;
  let sockets: Socket[];

  beforeEach(async () => {
    reading = undefined;
    sockets = [];
    server = await startServer({
      host: '127.0.0.1',
      port: 0,
      limits: { ...readSettings('facade', {}, {}), shutdownTimeoutMs: 500 },
      logger: createLogger({ level: 'silent' }),
      routes: {
        '/whole': {
          POST: async ({ raw }) => json(200, (await readBody(raw, limits)).toString()),
        },
        '/patient': {
          POST: async ({ raw }) => {
            reading = readBody(raw, { ...limits, requestTimeoutMs: 60_000 });
            return json(200, String(await reading));
          },
        },
        '/pieces': {
          POST: ({ raw, stopping }) => ({
            status: 200,
            type: mediaTypes.text,
            body: toTexts(streamBody(raw, { ...limits, stopping })),
          }),
        },
      },
    });
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  /**
   * Sends a head that announces ten bytes, and only some of them. Returns everything that comes
   * back.
   */
  async function sendHalf(path: string): Promise<string> {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf`);
    let reply = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      reply += text;
      if (reply.includes('request_timeout')) socket.destroy();
    });
    await once(socket, 'close');
    return reply;
  }

  it('that does not come to its end in time is refused with 408', async () => {
    const reply = await sendHalf('/whole');
    expect(reply).toMatch(/^HTTP\/1.1 408 /);
    expect(reply).toContain('The body took over 300 ms.');
  });

  it('that breaks off is not waited for any longer', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write('POST /patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf');
    await expect.poll(() => reading !== undefined).toBe(true);
    socket.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('that is answered piece by piece is cut when nothing more comes', async () => {
    expect(await sendHalf('/pieces')).toMatch(/half\r\n$/);
  });

  /** Sends the head and the beginning of a body, without its end. */
  function begin(path: string, size: number, begun: string): Socket {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n${begun}`,
    );
    return socket;
  }

  it('is refused with 503 where all of them hold too much, and a small one is not', async () => {
    const replies: string[] = [];
    const held = Array.from({ length: 20 }, () => begin('/patient', 100, 'x'.repeat(90)));
    for (const socket of held) socket.on('data', (piece) => replies.push(String(piece)));
    // Of 400 bytes, three bodies leave 130; after a fourth one, less would be free than it holds.
    await expect.poll(() => replies.length).toBe(17);
    for (const reply of replies) {
      expect(reply).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n[^]*"code":"overloaded"/);
    }
    const post = async (size: number) => {
      const body = 'x'.repeat(size);
      const { status } = await fetch(new URL('/whole', server.url), { method: 'POST', body });
      return status;
    };
    expect([await post(60), await post(95)]).toEqual([200, 503]);
  });

  it('finds room again when others have gone, ended or were refused', async () => {
    for (let n = 0; n < 20; n += 1) {
      const socket = begin('/whole', 100, 'x'.repeat(90));
      if (n % 2 === 0) socket.end('x'.repeat(10));
      else socket.destroy();
      await once(socket.resume(), 'close');
    }
    expect(await sendHalf('/whole')).toMatch(/^HTTP\/1\.1 408 /);
    const last = begin('/patient', 100, 'x'.repeat(100));
    expect(String((await once(last, 'data'))[0])).toContain('x'.repeat(100));
  });

  it('is not waited for by a server that stops, and its sender is told so', async () => {
    const socket = begin('/patient', 100, 'half');
    await expect.poll(() => reading !== undefined).toBe(true);
    const reply = once(socket, 'data');
    await server.close();
    expect(String((await reply)[0])).toMatch(/^HTTP\/1\.1 503 [^]*Nothing of it was stored/);
  });

  it.each(['gzip', 'identity, gzip', 'gzip, identity', 'br'])(
    'is refused with 415 in the encoding %s',
    async (encoding) => {
      const headers = { 'content-encoding': encoding };
      const target = new URL('/whole', server.url);
      const reply = await fetch(target, { method: 'POST', headers, body: 'x' });
      expect(reply.status).toBe(415);
    },
  );
});
