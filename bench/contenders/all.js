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
 * `missing()` says why it cannot run here, `version()` what exactly is measured, and
 * `start({ folder })` gives `{ url, pids, stop }` once it answers, where `url` takes a form by
 * POST. One that does not speak HTTP gives `load({ connections, seconds })` in place of `url`,
 * which measures as `postForms` does. Where something has to be made ready first, `prepare` does.
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
