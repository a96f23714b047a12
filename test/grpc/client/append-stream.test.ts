import { Duplex } from 'node:stream';
import { Metadata, status, type ClientDuplexStream } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeAppendRequest, encodeAppendReply } from '../../../src/grpc/append-messages.ts';
import { createAppender, type Appender } from '../../../src/grpc/client/append-stream.ts';
import { openGrpcClient, type GrpcClient } from '../../../src/grpc/client/client.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { startGrpcServer } from '../../support/grpc-server.ts';
import { message } from '../../contract/journal-contract.ts';
import { grpcAddress } from '../../support/address.ts';

const limits = {
  messageMaxBytes: 100_000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  heartbeatMs: 10_000,
  readerStallMs: 60_000,
  queueMaxBytes: 67_108_864,
  connectionsMax: 100,
};

function replyTo(bytes: Buffer): Buffer {
  const { group, messages } = decodeAppendRequest(bytes);
  const results = messages.map((_, index) => ({ status: 'logged' as const, seq: index + 1 }));
  return encodeAppendReply({ group, results });
}

describe('groups sent to a service that leaves some without an answer', () => {
  const timeoutMs = 400;
  let streams: number;
  let release: () => void;
  let appender: Appender;

  beforeEach(async () => {
    const released = new Promise<void>((resolve) => (release = resolve));
    const exchange = (bytes: Buffer): Promise<Buffer> | Buffer => {
      const { id } = decodeAppendRequest(bytes).messages[0]!;
      if (id.startsWith('silent')) return new Promise(() => {});
      return id === 'slow' ? released.then(() => replyTo(bytes)) : replyTo(bytes);
    };
    const server = await startGrpcServer({
      methods: { '/LoggingService/Append': { exchange } },
      limits,
      logger: createLogger({ level: 'silent' }),
    });
    const client = openGrpcClient(grpcAddress(server.url), { timeoutMs });
    streams = 0;
    const open: GrpcClient['open'] = (path) => {
      streams += 1;
      return client.open(path);
    };
    appender = createAppender({ ...client, open });
    return async () => {
      appender.close();
      client.close();
      await server.close();
    };
  });

  const append = (id: string) => appender.append([message(id)]);

  it('fail alone: those beside and behind a silent one are answered', async () => {
    const silent = append('silent');
    const beside = append('a');
    await expect(silent).rejects.toMatchObject({ code: 'deadline_exceeded', isUnsent: false });
    expect(await beside).toMatchObject([{ id: 'a', status: 'logged' }]);
    expect(await append('b')).toMatchObject([{ id: 'b', status: 'logged' }]);
  });

  it('leave another group on the same stream its own time', async () => {
    const silent = append('silent');
    const failed = expect(silent).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await new Promise((resolve) => setTimeout(resolve, timeoutMs / 2));
    const slow = append('slow');
    await failed;
    expect(await append('a')).toMatchObject([{ status: 'logged' }]);
    expect(streams).toBe(2);
    release();
    expect(await slow).toMatchObject([{ id: 'slow', status: 'logged' }]);
  });

  it('do not hold up the next ones, however many they are', async () => {
    const silent = Array.from({ length: 40 }, (_, n) => append(`silent ${n}`));
    const outcomes = Promise.allSettled(silent);
    const began = performance.now();
    expect(await append('a')).toMatchObject([{ status: 'logged' }]);
    expect(performance.now() - began).toBeLessThan(timeoutMs);
    expect(streams).toBe(3);
    await outcomes;
  });

  it('are sent again and again on the streams there are', async () => {
    const appendMany = () => Promise.all(Array.from({ length: 17 }, () => append('slow')));
    const first = appendMany();
    release();
    await first;
    for (let round = 0; round < 3; round += 1) await appendMany();
    expect(streams).toBe(2);
  });
});

/** A stream whose writes continue when the test says so. */
class HeldCall extends Duplex {
  readonly groups: Buffer[] = [];
  readonly goOn: (() => void)[] = [];

  constructor() {
    super({ objectMode: true });
  }

  override _read(): void {}

  override _write(bytes: Buffer, _: string, callback: () => void): void {
    this.groups.push(bytes);
    this.goOn.push(callback);
  }

  cancel(): void {}

  fail(code: status): void {
    this.emit('status', { code, details: 'Connection dropped', metadata: new Metadata() });
  }
}

describe('groups on a stream that ends', () => {
  let calls: HeldCall[];
  let appender: Appender;

  beforeEach(() => {
    calls = [];
    appender = createAppender({
      url: 'grpc://localhost:1',
      timeoutMs: 5_000,
      open() {
        const call = new HeldCall();
        calls.push(call);
        return call as unknown as ClientDuplexStream<Buffer, Buffer>;
      },
    } as unknown as GrpcClient);
  });

  it('fail where they were written, and are sent on the next stream where they were not', async () => {
    const appends = ['a', 'b', 'c', 'd'].map((id) => appender.append([message(id)]));
    const outcomes = Promise.allSettled(appends);
    await vi.waitFor(() => expect(calls[0]!.groups).toHaveLength(1));
    calls[0]!.goOn.shift()!();
    await vi.waitFor(() => expect(calls[0]!.groups).toHaveLength(2));
    calls[0]!.fail(status.UNAVAILABLE);

    await vi.waitFor(() => expect(calls[1]?.groups).toHaveLength(1));
    const [next] = calls.slice(1);
    for (const count of [1, 2]) {
      await vi.waitFor(() => expect(next!.groups).toHaveLength(count));
      next!.push(replyTo(next!.groups[count - 1]!));
      next!.goOn.shift()!();
    }
    expect(await outcomes).toMatchObject([
      { status: 'rejected', reason: { code: 'unavailable', isUnsent: false } },
      { status: 'rejected', reason: { code: 'unavailable', isUnsent: false } },
      { status: 'fulfilled', value: [{ id: 'c' }] },
      { status: 'fulfilled', value: [{ id: 'd' }] },
    ]);
    expect(calls).toHaveLength(2);
  });

  it('end when each stream fails: one group counts as sent on each', async () => {
    const outcomes = Promise.allSettled(
      ['a', 'b', 'c'].map((id) => appender.append([message(id)])),
    );
    for (const count of [1, 2, 3]) {
      await vi.waitFor(() => expect(calls).toHaveLength(count));
      calls.at(-1)!.fail(status.UNAVAILABLE);
    }
    expect((await outcomes).map(({ status: outcome }) => outcome)).toEqual(
      Array(3).fill('rejected'),
    );
    expect(calls).toHaveLength(3);
  });

  it('are sent nowhere else once the journal is closed', async () => {
    const appends = ['a', 'b', 'c'].map((id) => appender.append([message(id)]));
    const outcomes = Promise.allSettled(appends);
    await vi.waitFor(() => expect(calls[0]?.groups).toHaveLength(1));
    appender.close();
    expect(await outcomes).toMatchObject(appends.map(() => ({ reason: { code: 'closed' } })));
    expect(calls).toHaveLength(1);
  });
});
