/** What `dist/undici.cjs` holds, as `grpc/packages.ts` says of its own. */
export * as 'undici/lib/dispatcher/pool.js' from 'undici/lib/dispatcher/pool.js';
export * as 'undici/lib/api/api-request.js' from 'undici/lib/api/api-request.js';
