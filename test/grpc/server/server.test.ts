import { EventEmitter, once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { status, type Client } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MlogError } from '../../../src/errors.ts';
import type { Methods } from '../../../src/grpc/server/server.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { callBytes, endOf, openReferenceClient } from '../../support/grpc.ts';
import { startGrpcServer } from '../../support/grpc-server.ts';

const limits = {
  messageMaxBytes: 1_000,
  requestTimeoutMs: 150,
  keepAliveTimeoutMs: 60_000,
  heartbeatMs: 10_000,
  readerStallMs: 150,
  queueMaxBytes: 1_000_000,
  connectionsMax: 100,
};
const logger = createLogger({ level: 'silent' });
const same = (bytes: Buffer) => bytes;

describe('a gRPC server', () => {
  let news: EventEmitter;
  let started: number;
  let ended: number;
  let underWayMax: number;
  let client: Client;
  let url: string;
  let close: () => Promise<void>;

  beforeEach(async () => {
    news = new EventEmitter();
    started = 0;
    ended = 0;
    underWayMax = 0;
    let underWay = 0;
    const methods: Methods = {
      '/x/Fail': {
        unary() {
          throw new Error('at /secret/path');
        },
      },
      '/x/Refuse': {
        unary: () => Promise.reject(new MlogError('overloaded', 'Too much.', { hint: 'Wait.' })),
      },
      '/x/Endless': {
        async *stream(_, { gone }) {
          started += 1;
          try {
            while (!gone.aborted) yield Buffer.alloc(100_000);
          } finally {
            ended += 1;
            news.emit('ended');
          }
        },
      },
      '/x/Large': {
        async *stream() {
          yield await Promise.resolve(Buffer.alloc(1_000_000));
        },
      },
      '/x/Quiet': {
        async *stream(_, { gone, stopping }) {
          yield Buffer.from('first');
          await once(AbortSignal.any([gone, stopping]), 'abort');
          ended += 1;
          news.emit('ended');
        },
      },
      '/x/Echo': {
        async exchange(request) {
          underWay += 1;
          underWayMax = Math.max(underWayMax, underWay);
          await new Promise((resolve) => setImmediate(resolve));
          underWay -= 1;
          if (request.toString() === 'bad') throw new MlogError('invalid_argument', 'Bad.');
          return request;
        },
      },
    };
    const server = await startGrpcServer({ methods, limits, logger });
    url = server.url;
    ({ client } = openReferenceClient(url));
    close = () => server.close();
  });

  afterEach(async () => {
    client.close();
    await close();
  });

  const read = (path: string) =>
    client.makeServerStreamRequest<Buffer, Buffer>(path, same, same, Buffer.alloc(0));

  it('tells a refusal by its status, and of a fault of its own nothing but that there is one', async () => {
    await expect(callBytes(client, '/x/Refuse', Buffer.alloc(0))).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: 'Too much. Wait.',
    });
    await expect(callBytes(client, '/x/Fail', Buffer.alloc(0))).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.not.stringContaining('secret') as string,
    });
    await expect(callBytes(client, '/x/Fail', Buffer.alloc(2_000))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  });

  it.each([
    ['an authority that is not its own', { ':authority': 'evil.example' }, '7', 'not known as'],
    ['a page of another origin', { origin: 'http://evil.example' }, '7', 'another origin'],
    ['a page without an origin', { origin: 'null' }, '7', 'another origin'],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }, '7', 'another origin'],
    ['its own authority', { ':authority': 'localhost:1' }, '14', 'Too much'],
    ['a page of its own', { 'sec-fetch-site': 'same-origin' }, '14', 'Too much'],
  ])('refuses a call by who makes it: %s', async (_, headers, code, words) => {
    const session = connectHttp2(url.replace('grpc:', 'http:'));
    const call = session.request({
      ':method': 'POST',
      ':path': '/x/Refuse',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    call.end(Buffer.alloc(5));
    call.resume();
    const [reply] = (await once(call, 'response')) as [Record<string, string>];
    // grpc-js sends a status before any message in the head, and one after it in the trailers.
    const told = reply['grpc-status']
      ? reply
      : ((await once(call, 'trailers')) as [typeof reply])[0];
    session.destroy();
    expect(told['grpc-status']).toBe(code);
    expect(decodeURIComponent(told['grpc-message']!)).toContain(words);
  });

  it('stops reading for a client that vanished', async () => {
    for (const path of ['/x/Endless', '/x/Quiet']) {
      ended = 0;
      const stream = read(path);
      const over = endOf(stream);
      await once(stream, 'data');
      stream.cancel();
      await over;
      if (ended === 0) await once(news, 'ended');
      expect(ended).toBe(1);
    }
  });

  it('holds back what a slow client has no room for, and cuts one that takes nothing', async () => {
    const stream = read('/x/Endless');
    const over = endOf(stream);
    // Before it has read anything, this client would take all there is into its memory.
    await once(stream, 'data');
    stream.pause();
    await once(news, 'ended');
    expect(started).toBe(1);
    stream.resume();
    expect((await over).code).toBe(status.RESOURCE_EXHAUSTED);
    // The connection is as good as before.
    const quiet = read('/x/Quiet');
    await once(quiet, 'data');
    quiet.on('error', () => {});
    quiet.cancel();
  });

  it('lets a client take longer for a large message than it may take nothing', async () => {
    const session = connectHttp2(url.replace('grpc:', 'http:'));
    const headers = { ':method': 'POST', ':path': '/x/Large', 'content-type': 'application/grpc' };
    const call = session.request({ ...headers, te: 'trailers' });
    call.end(Buffer.alloc(5));
    let taken = 0;
    call.on('data', (piece: Buffer) => {
      taken += piece.length;
      call.pause();
      // At 16 kB in 10 ms it takes four times as long as it may take nothing.
      setTimeout(() => call.resume(), (10 * piece.length) / 16_384);
    });
    await once(call, 'end');
    expect(taken).toBe(1_000_005);
    session.destroy();
  });

  it('answers each message of a stream, some of them at a time', async () => {
    const call = client.makeBidiStreamRequest<Buffer, Buffer>('/x/Echo', same, same);
    const texts: string[] = [];
    call.on('data', (bytes: Buffer) => texts.push(bytes.toString()));
    for (let n = 0; n < 500; n += 1) call.write(Buffer.from(`${n}`));
    call.end();
    expect((await endOf(call)).code).toBe(status.OK);
    expect(texts.toSorted()).toEqual(Array.from({ length: 500 }, (_, n) => `${n}`).toSorted());
    expect(underWayMax).toBeLessThanOrEqual(16);
  });

  it('ends a stream of messages with what is wrong with one of them', async () => {
    const call = client.makeBidiStreamRequest<Buffer, Buffer>('/x/Echo', same, same);
    call.on('data', () => {});
    call.write(Buffer.from('good'));
    call.write(Buffer.from('bad'));
    expect(await endOf(call)).toMatchObject({ code: status.INVALID_ARGUMENT, details: 'Bad.' });
  });

  it('ends a call whose message does not come, and no other', async () => {
    // To the client a method is what it says it is: this one takes a stream and never writes.
    const silent = client.makeBidiStreamRequest<Buffer, Buffer>('/x/Refuse', same, same);
    const open = client.makeBidiStreamRequest<Buffer, Buffer>('/x/Echo', same, same);
    const quiet = read('/x/Quiet');
    await once(quiet, 'data');
    silent.resume();
    expect(await endOf(silent)).toMatchObject({
      code: status.CANCELLED,
      details: 'The message took over 150 ms.',
    });
    open.write(Buffer.from('late'));
    expect(String((await once(open, 'data'))[0])).toBe('late');
    for (const call of [open, quiet]) call.on('error', () => {}).cancel();
  });

  it('ends every stream when it stops', async () => {
    const call = client.makeBidiStreamRequest<Buffer, Buffer>('/x/Echo', same, same);
    const quiet = read('/x/Quiet');
    const over = Promise.all([endOf(call), endOf(quiet)]);
    call.write(Buffer.from('one'));
    await Promise.all([once(call, 'data'), once(quiet, 'data')]);
    quiet.resume();
    await close();
    close = () => Promise.resolve();
    expect((await over)[0].code).toBe(status.UNAVAILABLE);
  });
});
