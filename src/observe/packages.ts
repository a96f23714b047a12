import pino from 'pino';

/** What `dist/pino.cjs` holds, as `grpc/packages.ts` says of its own. */
export { pino };
