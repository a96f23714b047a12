import { bare } from './bare.js';
import { bareGrpc } from './bare-grpc.js';
import { bareProxy } from './bare-proxy.js';
import { fastifySqlite } from './fastify-sqlite.js';
import { flask } from './flask.js';
import { jetstream } from './jetstream.js';
import { mlog } from './mlog.js';
import { mlogApart, mlogGrpc } from './mlog-apart.js';
import { mlogUnary } from './mlog-unary.js';
import { redis } from './redis.js';

/**
 * Every contender, in the order of the tables. Each is `{ name, title, missing, version, start }`:
 * `missing()` says why it cannot run here, `version()` says what exactly is measured, and `start({
 * folder })` returns `{ url, pids, stop }` once it answers, where `url` accepts a form by POST. A
 * contender that does not speak HTTP has `load({ connections, seconds })` instead of `url`, which
 * measures like `postForms`. `prepare` runs first, if there is one.
 */
export const contenders = [
  bare,
  bareProxy,
  mlog,
  mlogApart,
  mlogGrpc,
  bareGrpc,
  mlogUnary,
  fastifySqlite,
  redis,
  jetstream,
  flask,
];
