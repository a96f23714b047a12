import pino from 'pino';

/** The content of `dist/pino.cjs`; see `grpc/packages.ts`. */
export { pino };
