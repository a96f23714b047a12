import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSettings, type Flags } from '../../config.ts';
import { MlogError } from '../../errors.ts';
import { runUntilStopped } from '../../lifecycle.ts';
import { createLogger } from '../../observe/logger.ts';
import { warnOfOldNode } from './node-line.ts';

/** The pause before a dead worker is replaced, so that one that cannot start does not spin. */
const restartDelayMs = 1_000;

/** Says whether this process starts workers, rather than being one or needing none. */
export function isWorkersPrimary(workers: number): boolean {
  return workers > 1 && cluster.isPrimary;
}

/** Returns the process id of a worker, for its diagnostics; undefined for any other process. */
export function workerProcessId(): number | undefined {
  return cluster.isWorker ? process.pid : undefined;
}

/**
 * Runs facades in several processes behind one port, for machines with idle cores. Each has its own
 * batches and its own connections to the logging service. A worker that dies is replaced. If the
 * workers have files to read again, they get SIGHUP.
 */
export async function serveWorkers(flags: Flags, reloads: boolean): Promise<void> {
  const { workers, logLevel, shutdownTimeoutMs } = readSettings('facade', flags);
  const logger = createLogger({ level: logLevel });
  warnOfOldNode(logger);
  const running = new Set<Worker>();
  let stopping = false;
  let hasListened = false;
  let cannotStart!: (error: MlogError) => void;
  const failed = new Promise<never>((_, reject) => {
    cannotStart = reject;
  });

  async function keepWorker(): Promise<void> {
    const worker = cluster.fork();
    worker.once('listening', () => {
      hasListened = true;
    });
    running.add(worker);
    const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
    running.delete(worker);
    if (stopping) return;
    // The worker has logged the reason. If none has listened yet, the next one would fail the same
    // way.
    if (!hasListened && signal === null) {
      return cannotStart(new MlogError('failed_precondition', 'A worker could not start.'));
    }
    logger.error({ pid: worker.process.pid, code, signal }, 'A worker died and is restarted');
    await sleep(restartDelayMs);
    if (!stopping) await keepWorker();
  }

  let kept: Promise<void>[] = [];

  async function close(): Promise<void> {
    // Called again if the first shutdown took too long, so that nothing is left behind.
    const signal = stopping ? 'SIGKILL' : 'SIGTERM';
    stopping = true;
    for (const worker of running) worker.process.kill(signal);
    await Promise.all(kept);
  }

  await runUntilStopped({
    async start() {
      kept = Array.from({ length: workers }, keepWorker);
      return { close };
    },
    failed,
    shutdownTimeoutMs,
    logger,
    onHangup: reloads ? () => running.forEach(({ process }) => process.kill('SIGHUP')) : undefined,
  });
}
