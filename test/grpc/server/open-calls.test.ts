import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Methods } from '../../../src/grpc/server/server.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { startGrpcServer } from '../../support/grpc-server.ts';

const limits = {
  messageMaxBytes: 400_000,
  requestTimeoutMs: 1_200,
  keepAliveTimeoutMs: 60_000,
  heartbeatMs: 15_000,
  readerStallMs: 400,
  queueMaxBytes: 1_000_000,
  connectionsMax: 60,
};

/** How a call ended, as its client sees it on the wire. */
interface Ended {
  readonly status: number | undefined;
  readonly code: string;
  readonly rst: number;
}

describe('the open calls of a gRPC server', () => {
  let answered: number;
  let release: () => void;
  let session: ClientHttp2Session;
  let url: string;
  let close: () => Promise<void>;
  const sessions: ClientHttp2Session[] = [];

  beforeEach(async () => {
    answered = 0;
    release = () => {};
    const take = (request: Buffer) => {
      answered += 1;
      return request.subarray(0, 1);
    };
    const methods: Methods = {
      '/x/Each': { exchange: take, takesTexts: true },
      '/x/One': { unary: take, takesTexts: true },
      '/x/Small': { unary: take },
      '/x/Large': { unary: () => Buffer.alloc(200_000) },
      '/x/Slow': {
        async unary(request) {
          await new Promise<void>((resolve) => (release = resolve));
          return request;
        },
      },
    };
    const server = await startGrpcServer({
      methods,
      limits,
      logger: createLogger({ level: 'silent' }),
    });
    close = () => server.close();
    url = server.url.replace('grpc:', 'http:');
    session = openSession();
  });

  afterEach(async () => {
    for (const one of sessions.splice(0)) one.destroy();
    await close();
  });

  function openSession(): ClientHttp2Session {
    const opened = connect(url);
    opened.on('error', () => {});
    sessions.push(opened);
    return opened;
  }

  function open(path: string, on = session): ClientHttp2Stream {
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc' };
    return on.request(headers).on('error', () => {});
  }

  /** Begins a message of a size and sends part of it. */
  function begin(stream: ClientHttp2Stream, size: number, sent = size, flag = 0): void {
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(size, 1);
    stream.write(Buffer.concat([head, Buffer.alloc(sent, 'x')]));
  }

  async function endOf(stream: ClientHttp2Stream): Promise<Ended> {
    const told: Record<string, unknown> = {};
    stream.on('response', (headers) => Object.assign(told, headers));
    stream.on('trailers', (headers) => Object.assign(told, headers));
    stream.resume();
    await once(stream, 'close');
    return {
      status: told['grpc-status'] === undefined ? undefined : Number(told['grpc-status']),
      code: String(told['mlog-code']),
      rst: stream.rstCode,
    };
  }

  it('refuse messages in parts beyond the limits of a connection and of all, and take the others', async () => {
    const streams = Array.from({ length: 10 }, () => open('/x/Each'));
    const ends = streams.map(endOf);
    for (const stream of streams) begin(stream, 300_000, 100_000);
    // Five times 100,000 bytes are half of the limit over all calls.
    await Promise.race(ends);
    const other = openSession();
    const small = open('/x/Small', other);
    begin(small, 1_000);
    small.end();
    expect((await endOf(small)).status).toBe(status.OK);
    const all = await Promise.all(ends);
    const refused = all.filter(({ code }) => code === 'overloaded');
    expect(refused.length).toBeGreaterThanOrEqual(4);
    expect(refused.length).toBeLessThan(10);
    expect(refused.every((end) => end.status === status.RESOURCE_EXHAUSTED)).toBe(true);
    // What they held is released, so that a large message is accepted.
    const whole = open('/x/Each');
    begin(whole, 399_000);
    whole.end();
    expect((await endOf(whole)).status).toBe(status.OK);
    expect(answered).toBe(2);
  });

  it('never answer a message that they refuse, though it is whole', async () => {
    for (const size of [68_000, 70_000]) {
      const beside = openSession();
      const stream = open('/x/Each', beside);
      begin(stream, 10);
      await once(stream, 'response');
      answered = 0;
      const partial = Array.from({ length: 2 }, () => open('/x/Each', beside));
      for (const one of partial) begin(one, 300_000, 240_000);
      for (const one of partial) await new Promise((resolve) => one.write('x', resolve));
      const ended = endOf(stream);
      begin(stream, size);
      stream.end();
      const { code } = await ended;
      expect([code, answered]).toEqual(size === 68_000 ? ['undefined', 1] : ['overloaded', 0]);
    }
  });

  it('count a compressed message as what it may become', async () => {
    const streams = Array.from({ length: 3 }, () => open('/x/One'));
    for (const stream of streams) begin(stream, 2_000, 2_000, 1);
    const ends = await Promise.all(streams.map(endOf));
    expect(ends.filter(({ code }) => code === 'overloaded')).toHaveLength(2);
  });

  it('refuse a message of a stream that does not become whole, and none that is late to begin', async () => {
    const idle = open('/x/Each');
    begin(idle, 10);
    const late = open('/x/Each');
    begin(late, 10);
    begin(late, 1_000, 500);
    const trickling = setInterval(() => late.write('x'), 50);
    expect(await endOf(late)).toMatchObject({ status: status.CANCELLED, code: 'request_timeout' });
    clearInterval(trickling);
    expect(idle.closed).toBe(false);
    begin(idle, 10);
    idle.end();
    expect((await endOf(idle)).status).toBe(status.OK);
    expect(answered).toBe(3);
  });

  it('refuse a large message where a small one is all that a method takes', async () => {
    const stream = open('/x/Small');
    begin(stream, 20_000, 1);
    expect(await endOf(stream)).toMatchObject({ code: 'too_large' });
  });

  it('refuse a call beyond so many over all connections', async () => {
    const streams = Array.from({ length: 61 }, (_, n) =>
      open('/x/Each', n % 2 ? session : openSession()),
    );
    const last = await Promise.race(streams.map(endOf));
    expect(last).toMatchObject({ status: status.RESOURCE_EXHAUSTED, code: 'overloaded' });
  });

  it('close the stream of a call that was answered and goes on sending, known or not', async () => {
    const [unknown, refused] = [open('/x/Unknown'), open('/x/Small')];
    const ends = [endOf(unknown), endOf(refused)];
    begin(refused, 20_000, 1);
    expect(await Promise.all(ends)).toMatchObject([
      { status: status.UNIMPLEMENTED, rst: constants.NGHTTP2_NO_ERROR },
      { status: status.RESOURCE_EXHAUSTED, rst: constants.NGHTTP2_NO_ERROR },
    ]);
  });

  it('cut a client that does not take the reply of a call', async () => {
    const narrow = connect(url, { settings: { initialWindowSize: 1_000 } });
    narrow.on('error', () => {});
    sessions.push(narrow);
    await once(narrow, 'remoteSettings');
    const stream = open('/x/Large', narrow);
    begin(stream, 1);
    stream.end();
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it('end within a moment at a stop, the unfinished told, those being answered answered', async () => {
    const half = open('/x/One');
    begin(half, 1_000, 500);
    const idle = open('/x/Each');
    begin(idle, 10);
    const slow = open('/x/Slow');
    begin(slow, 10);
    slow.end();
    const unknown = open('/x/Unknown');
    const ends = Promise.all([half, idle, slow, unknown].map(endOf));
    await once(idle, 'response');
    const began = performance.now();
    const closing = close();
    close = () => closing;
    setTimeout(() => release(), 200);
    expect((await ends).map((end) => end.status)).toEqual([
      status.UNAVAILABLE,
      status.UNAVAILABLE,
      status.OK,
      status.UNIMPLEMENTED,
    ]);
    await closing;
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});
