import { startGrpcListener } from '../../src/grpc/server/listener.ts';
import { createGrpcServer, type GrpcServerOptions } from '../../src/grpc/server/server.ts';
import { createAccess } from '../../src/security/access.ts';

const where = {
  host: '127.0.0.1',
  port: 0,
  connectionsMax: 1_000,
  headersTimeoutMs: 10_000,
  onFull: () => {},
};

type Options = Omit<GrpcServerOptions, 'access'> & Partial<GrpcServerOptions>;

/** Listens for gRPC on any free port of 127.0.0.1, for whoever may ask there by default. */
export const startGrpcServer = (options: Options) => {
  const access = createAccess(where.host, { allowHost: [], allowOrigin: [] });
  return startGrpcListener(where, () => Promise.resolve(createGrpcServer({ access, ...options })));
};
