import type { Logger } from '../../observe/logger.ts';

/** When each line of Node gets its last fixes (https://github.com/nodejs/Release). */
const lastFixes: Readonly<Record<string, string>> = {
  20: '2026-04-30',
  21: '2024-06-01',
  22: '2027-04-30',
  23: '2025-06-01',
  24: '2028-04-30',
  25: '2026-06-01',
  26: '2029-04-30',
};

/** Warns if the line of Node that runs this process gets no more security fixes. */
export function warnOfOldNode(
  logger: Pick<Logger, 'warn'>,
  node = process.versions.node,
  today = new Date(),
): void {
  const [line = ''] = node.split('.');
  const ended = lastFixes[line];
  if (ended === undefined || today.toISOString().slice(0, 10) <= ended) return;
  logger.warn(`Node ${line} has had no security fixes since ${ended}. Run mlog on a newer one.`);
}
