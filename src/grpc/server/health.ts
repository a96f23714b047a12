import { setTimeout as sleep } from 'node:timers/promises';
import { MlogError } from '../../errors.ts';
import { gatherFacts, type Subject } from '../../ops/facts.ts';
import { decodeBySchema, encodeBySchema } from '../codec.ts';
import { stoppingError, type CallSignals } from './call.ts';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from '../generated/grpc/health/v1/health_pb.ts';
import type { Methods } from './server.ts';

/** The longest delay before a watching client learns of a change. */
const watchMs = 1_000;

/**
 * Returns the methods of the gRPC health protocol (https://grpc.io/docs/guides/health-checking/),
 * for the server as a whole, which has the empty name, and for the named services.
 */
export function healthMethods(services: readonly string[], subject: Subject): Methods {
  const names = new Set(['', ...services]);

  async function statusOf(name: string): Promise<ServingStatus> {
    if (!names.has(name)) return ServingStatus.SERVICE_UNKNOWN;
    const { isReady } = await gatherFacts(subject);
    return isReady ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  async function* watch(request: Buffer, { gone, stopping }: CallSignals): AsyncGenerator<Buffer> {
    const name = parseName(request);
    const signal = AbortSignal.any([gone, stopping]);
    let told: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = await statusOf(name);
      if (status !== told) yield toResponse(status);
      told = status;
      await sleep(watchMs, undefined, { signal }).catch(() => {});
    }
    if (gone.aborted) return;
    yield toResponse(ServingStatus.NOT_SERVING);
    throw stoppingError;
  }

  return {
    '/grpc.health.v1.Health/Check': {
      async unary(request) {
        const status = await statusOf(parseName(request));
        if (status !== ServingStatus.SERVICE_UNKNOWN) return toResponse(status);
        throw new MlogError('not_found', 'There is no service with this name.');
      },
    },
    '/grpc.health.v1.Health/Watch': { stream: watch },
  };
}

function parseName(request: Buffer): string {
  return decodeBySchema(HealthCheckRequestSchema, request).service;
}

function toResponse(status: ServingStatus): Buffer {
  return encodeBySchema(HealthCheckResponseSchema, { status });
}
