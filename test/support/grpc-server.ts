import { startGrpcListener } from '../../src/grpc/server/listener.ts';
import { createGrpcServer, type GrpcServerOptions } from '../../src/grpc/server/server.ts';

const where = { host: '127.0.0.1', port: 0, connectionsMax: 1_000, onFull: () => {} };

/** Listens for gRPC on any free port. */
export const startGrpcServer = (options: GrpcServerOptions) =>
  startGrpcListener(where, () => Promise.resolve(createGrpcServer(options)));
