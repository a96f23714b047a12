import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../report/statistics.js';

const warmUpCount = 20;
const syncCount = 200;

/** Measures one fsync after an append of 4 KiB in this folder: the median, in milliseconds. */
export function measureSyncMs(folder) {
  const file = openSync(join(folder, 'sync'), 'a');
  const block = Buffer.alloc(4096, 'm');
  const times = [];
  for (let index = 0; index < warmUpCount + syncCount; index += 1) {
    const began = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    if (index >= warmUpCount) times.push(performance.now() - began);
  }
  closeSync(file);
  return median(times);
}
