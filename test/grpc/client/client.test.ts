import { once, setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openGrpcClient, type GrpcClient } from '../../../src/grpc/client/client.ts';
import type { Methods } from '../../../src/grpc/server/server.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { startGrpcServer } from '../../support/grpc-server.ts';
import { grpcAddress } from '../../support/address.ts';

const limits = {
  messageMaxBytes: 1_000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  heartbeatMs: 10_000,
  readerStallMs: 60_000,
  queueMaxBytes: 1_000_000,
  connectionsMax: 1_000,
};

const methods: Methods = {
  '/x/Quiet': {
    async *stream(_, { gone, stopping }) {
      yield Buffer.from('first');
      await once(AbortSignal.any([gone, stopping]), 'abort');
    },
  },
  '/x/Echo': { unary: (request) => request },
  '/x/EchoEach': { exchange: (request) => request },
};

describe('a gRPC client', () => {
  let client: GrpcClient;
  let close: () => Promise<void>;

  beforeEach(async () => {
    const logger = createLogger({ level: 'silent' });
    const server = await startGrpcServer({ methods, limits, logger });
    client = openGrpcClient(grpcAddress(server.url), { timeoutMs: 2_000 });
    close = () => server.close();
  });

  afterEach(async () => {
    client.close();
    await close();
  });

  it('refuses a call once it is closed, and leaves no timer behind', async () => {
    const closed = openGrpcClient(grpcAddress(client.url), { timeoutMs: 2_000 });
    closed.close();
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      await expect(closed.call('/x/Echo', Buffer.alloc(0))).rejects.toThrow('shut down');
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('has its calls answered while more readers are slow than a connection has room for', async () => {
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    let begun = 0;
    const readers = Array.from({ length: 230 }, async () => {
      for await (const _ of client.read('/x/Quiet', Buffer.alloc(0), stop.signal)) begun += 1;
    });
    const ended = Promise.allSettled(readers);
    await expect.poll(() => begun, { timeout: 10_000 }).toBe(200);
    expect(String(await client.call('/x/Echo', Buffer.from('one')))).toBe('one');
    const each = client.open('/x/EchoEach');
    each.on('error', () => {});
    each.write(Buffer.from('two'));
    expect(String((await once(each, 'data'))[0])).toBe('two');
    each.cancel();
    stop.abort();
    await ended;
  });
});
