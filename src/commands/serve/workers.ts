import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSettings, type Flags } from '../../config.ts';
import { MlogError } from '../../errors.ts';
import { runUntilStopped } from '../../lifecycle.ts';
import { createLogger } from '../../observe/logger.ts';

/** A worker that dies is replaced after this, so that one that cannot start does not spin. */
const restartDelayMs = 1_000;

/** Says whether this process is to keep facades in processes of their own, and is not one of them. */
export function keepsWorkers(workers: number): boolean {
  return workers > 1 && cluster.isPrimary;
}

/** The process id of a worker, which its diagnostics tell; of any other process undefined. */
export function workerPid(): number | undefined {
  return cluster.isWorker ? process.pid : undefined;
}

/**
 * Runs facades in several processes behind one port, for machines with cores to spare: each has its
 * own batches and its own connections to the logging service. One that dies is started again.
 */
export async function serveWorkers(flags: Flags): Promise<void> {
  const { workers, logLevel, shutdownTimeoutMs } = readSettings('facade', flags);
  const logger = createLogger({ level: logLevel });
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
    // It has said why. Where none of them has listened yet, each would say the same.
    if (!hasListened && signal === null) {
      return cannotStart(new MlogError('failed_precondition', 'A worker could not start.'));
    }
    logger.error({ pid: worker.process.pid, code, signal }, 'A worker died and is started again');
    await sleep(restartDelayMs);
    if (!stopping) await keepWorker();
  }

  let kept: Promise<void>[] = [];

  async function close(): Promise<void> {
    // Called again where the first stop took too long: nothing is left behind.
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
  });
}
