import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/**
 * The descriptors that a process keeps back. Some 30 are in use from the start; the rest is for
 * connections to other services, the files of the store, and probes.
 */
const keptDescriptors = 64;

/**
 * Lowers the limit of connections to what this process may open, if the system tells. Each takes
 * `perConnection` descriptors: two if a reader may need another service to be read.
 */
export function limitToDescriptors(connectionsMax: number, perConnection: 1 | 2): number {
  const descriptorsMax = readDescriptorsMax();
  if (descriptorsMax === undefined) return connectionsMax;
  const kept = Math.min(keptDescriptors, Math.ceil(descriptorsMax / 2));
  return Math.min(connectionsMax, Math.floor((descriptorsMax - kept) / perConnection));
}

/** Returns the most descriptors, on Linux. Node has raised the limit as far as it may. */
function readDescriptorsMax(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

const admitted = new Set<Socket>();
let isFullTold = false;

/**
 * Counts a connection among those of the process, whichever server accepted it. Returns false
 * beyond the limit. `onFull` is called when the limit is reached, and not again before a tenth is
 * free.
 */
export function admit(socket: Socket, connectionsMax: number, onFull: () => void): boolean {
  if (admitted.size < 0.9 * connectionsMax) isFullTold = false;
  if (admitted.size >= connectionsMax) {
    if (!isFullTold) onFull();
    isFullTold = true;
    return false;
  }
  admitted.add(socket);
  socket.once('close', () => admitted.delete(socket));
  return true;
}

/**
 * This many connections beyond the limit may be open in the process. They are among the descriptors
 * that it keeps back.
 */
const extraMaxCount = 16;

const extra = new Set<Socket>();

/**
 * Keeps a connection beyond the limit, so that a probe is answered whoever holds the others. If
 * there are too many, the oldest one is closed, whichever server accepted it.
 */
export function keepExtra(socket: Socket): void {
  extra.add(socket);
  socket.once('close', () => extra.delete(socket));
  if (extra.size <= extraMaxCount) return;
  const [oldest] = extra;
  // Its end is heard only later, after further connections.
  extra.delete(oldest!);
  oldest!.destroy();
}

/** Says whether a connection is kept beyond the limit. */
export function isExtra(socket: Socket): boolean {
  return extra.has(socket);
}

/** Returns the warning that the limit of connections is reached. */
export function fullText(connectionsMax: number): string {
  return (
    `All ${connectionsMax} connections are taken, and more are refused. ` +
    'Raise --connections-max, or the limit of open files (ulimit -n).'
  );
}
