/** The content of `dist/undici.cjs`; see `grpc/packages.ts`. */
export * as 'undici/lib/dispatcher/pool.js' from 'undici/lib/dispatcher/pool.js';
export * as 'undici/lib/api/api-request.js' from 'undici/lib/api/api-request.js';
export * as 'undici/lib/core/connect.js' from 'undici/lib/core/connect.js';
