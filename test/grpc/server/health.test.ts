import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from '../../../src/grpc/generated/grpc/health/v1/health_pb.ts';
import { healthMethods } from '../../../src/grpc/server/health.ts';

const ask = (service: string) =>
  Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })));

const statusOf = (bytes: Buffer) => fromBinary(HealthCheckResponseSchema, bytes).status;

/** The two methods over a dependency that works or not. */
function serve(isWell: () => boolean) {
  const methods = healthMethods(['LoggingService'], {
    role: 'logging',
    checks: {
      async store() {
        if (!isWell()) throw new Error('The disk is gone.');
      },
    },
  });
  const check = methods['/grpc.health.v1.Health/Check'];
  const watch = methods['/grpc.health.v1.Health/Watch'];
  if (!check || !('unary' in check) || !watch || !('stream' in watch)) throw new Error('Missing.');
  return { check: check.unary, watch: watch.stream };
}

describe('the health of the service', () => {
  it('is that of what it needs', async () => {
    let isWell = true;
    const { check } = serve(() => isWell);
    for (const name of ['', 'LoggingService']) {
      expect(statusOf(await check(ask(name)))).toBe(ServingStatus.SERVING);
    }
    isWell = false;
    expect(statusOf(await check(ask('')))).toBe(ServingStatus.NOT_SERVING);
    await expect(check(ask('Other'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(check(Buffer.from([0xff]))).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('is told to who watches when it changes, and when the service stops', async () => {
    let isWell = true;
    const { watch } = serve(() => isWell);
    const stopping = new AbortController();
    const gone = new AbortController();
    const signals = { gone: gone.signal, stopping: stopping.signal };
    const statuses = watch(ask(''), signals)[Symbol.asyncIterator]();
    const next = async () => statusOf((await statuses.next()).value as Buffer);
    expect(await next()).toBe(ServingStatus.SERVING);
    isWell = false;
    expect(await next()).toBe(ServingStatus.NOT_SERVING);
    isWell = true;
    expect(await next()).toBe(ServingStatus.SERVING);
    stopping.abort();
    expect(await next()).toBe(ServingStatus.NOT_SERVING);
    await expect(next()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('of a service that is not there is told to who watches, until they go', async () => {
    const { watch } = serve(() => true);
    const gone = new AbortController();
    const signals = { gone: gone.signal, stopping: new AbortController().signal };
    const statuses = watch(ask('Other'), signals)[Symbol.asyncIterator]();
    const first = await statuses.next();
    expect(statusOf(first.value as Buffer)).toBe(ServingStatus.SERVICE_UNKNOWN);
    gone.abort();
    expect((await statuses.next()).done).toBe(true);
  });
});
