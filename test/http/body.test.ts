import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { readBody, streamBody } from '../../src/http/body.ts';
import { mediaTypes } from '../../src/http/formats.ts';
import { json } from '../../src/http/reply.ts';
import { startServer, type Server } from '../../src/http/server.ts';
import { createLogger } from '../../src/observe/logger.ts';

async function* toTexts(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const piece of pieces) yield piece.toString();
}

describe('a request body', () => {
  const limits = { bodyMaxBytes: 100, bodiesMaxBytes: 400, requestTimeoutMs: 300 };
  let server: Server;
  let reading: Promise<Buffer> | undefined;

  beforeEach(async () => {
    server = await startServer({
      host: '127.0.0.1',
      port: 0,
      limits: readSettings('facade', {}, {}),
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

  afterEach(() => server.close());

  /** Sends a head that promises ten bytes and then only some; gives all that comes back. */
  async function sendHalf(path: string): Promise<string> {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf`);
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
    socket.write('POST /patient HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
    await expect.poll(() => reading !== undefined).toBe(true);
    socket.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('that is answered piece by piece is cut when nothing more comes', async () => {
    expect(await sendHalf('/pieces')).toMatch(/half\r\n$/);
  });
});
