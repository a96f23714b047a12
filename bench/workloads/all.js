import { bulk } from './bulk.js';
import { follow } from './follow.js';
import { followAged } from './follow-aged.js';
import { growth } from './growth.js';
import { post1 } from './post1.js';
import { post64 } from './post64.js';
import { read } from './read.js';
import { soak } from './soak.js';
import { start } from './start.js';
import { trouble } from './trouble.js';

/**
 * Every workload, in the order of the report. Each is `{ name, title, about, metrics, references,
 * run }`: `run(bench)` returns results, `metrics` are the columns of their table, and the first
 * metric of a subject is divided by a reference. `only` names the contenders that it can measure,
 * if not all; `bench.contenders` are those that run.
 */
export const workloads = [
  post64,
  post1,
  bulk,
  read,
  follow,
  followAged,
  growth,
  soak,
  start,
  trouble,
];
