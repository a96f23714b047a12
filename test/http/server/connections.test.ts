import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { readBody } from '../../../src/http/server/body.ts';
import { mediaTypes } from '../../../src/http/formats.ts';
import { json } from '../../../src/http/server/reply.ts';
import type { Request, Server } from '../../../src/http/server/server.ts';
import { startHttpServer } from '../../support/http-server.ts';

const limits = { bodyMaxBytes: 1e6, bodiesMaxBytes: 4e6, requestTimeoutMs: 10_000 };

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

describe('requests behind one that is not answered yet', () => {
  let server: Server;
  let sockets: Socket[];
  let serving: Socket | undefined;
  let answered: number;
  let endStreams: () => void;

  beforeEach(async () => {
    sockets = [];
    serving = undefined;
    answered = 0;
    const ended = new Promise<void>((resolve) => (endStreams = resolve));
    async function* stream({ raw }: Request): AsyncGenerator<string> {
      serving = raw.socket;
      yield 'begun\n';
      await ended;
    }
    server = await startHttpServer({
      '/stream': {
        GET: (request) => ({ status: 200, type: mediaTypes.text, body: stream(request) }),
      },
      '/body': {
        POST: async ({ raw }) => json(200, `${(await readBody(raw, limits)).length} bytes`),
      },
      '/count': { GET: () => json(200, (answered += 1)) },
    });
    return async () => {
      endStreams();
      for (const socket of sockets) socket.destroy();
      await server.close();
    };
  });

  const openStream = async (): Promise<Socket> => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    socket.write(get('/stream'));
    await once(socket, 'data');
    return socket;
  };

  it('are not read beyond what one read brings, however many are sent', async () => {
    const socket = await openStream();
    for (let sent = 0; sent < 5_000_000; sent += 50_000) socket.write(get('/count').repeat(1_200));
    // The buffers of the system take some megabytes; a server that keeps reading takes the rest.
    await expect.poll(() => serving!.bytesRead).toBeGreaterThan(100);
    const drained = once(socket, 'drain').then(() => true);
    const answers = Promise.all(Array.from({ length: 50 }, askAnother));
    expect(await Promise.race([drained, answers.then(() => false)])).toBe(false);
    expect(serving!.bytesRead).toBeLessThan(200_000);
  });

  const askAnother = async (): Promise<void> => {
    const reply = await fetch(new URL('/count', server.url));
    expect(reply.status).toBe(200);
    await reply.text();
  };

  it('are all answered in their order once it is', async () => {
    const socket = await openStream();
    socket.write(get('/count').repeat(5_000));
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    endStreams();
    await expect.poll(() => answered, { timeout: 10_000 }).toBe(5_000);
    await expect.poll(() => text.includes('\r\n\r\n5000\n')).toBe(true);
    const counts = Array.from(text.matchAll(/\r\n\r\n(\d+)\n/g), ([, count]) => Number(count));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('end their connection when too many wait in all, and those of others are answered', async () => {
    const first = await openStream();
    first.write(get('/count'));
    let lost = 0;
    for (let n = 0; n < 20; n += 1) {
      const socket = await openStream();
      socket.once('close', () => (lost += 1));
      socket.write(get('/count').repeat(5_000));
    }
    await expect.poll(() => lost, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(first.closed).toBe(false);
    await askAnother();
    const reply = once(first, 'data');
    endStreams();
    expect(String((await reply)[0])).toBeTruthy();
  });

  it('wait with their bodies, which are read in their turn', async () => {
    const socket = await openStream();
    socket.write(
      `${get('/count')}POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n`,
    );
    socket.write('x'.repeat(500_000) + get('/count'));
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    endStreams();
    await expect.poll(() => text).toMatch(/\n1\n[^]*\n"500000 bytes"\n[^]*\n2\n$/);
  });
});
