import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/**
 * What a process keeps of its descriptors: some 30 are in use from the start, and the rest is for
 * connections to other services, for the files of the store, and for probes.
 */
const keptDescriptors = 64;

/**
 * Lowers the limit of connections to what this process may open, where the system says: each takes
 * `perConnection` descriptors, which is two where a reader may need another service read for it.
 */
export function limitToDescriptors(connectionsMax: number, perConnection: 1 | 2): number {
  const descriptorsMax = readDescriptorsMax();
  if (descriptorsMax === undefined) return connectionsMax;
  const kept = Math.min(keptDescriptors, Math.ceil(descriptorsMax / 2));
  return Math.min(connectionsMax, Math.floor((descriptorsMax - kept) / perConnection));
}

/** The most descriptors, where the system says: Linux. Node itself raises it as far as it may. */
function readDescriptorsMax(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const found = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}

const admitted = new Set<Socket>();
let isFullTold = false;

/**
 * Counts a connection among those of the process, whichever server has accepted it; gives false
 * beyond the limit. `onFull` is called when that is reached, and not again before a tenth is free.
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

/** What is told when the limit of connections is reached. */
export function fullText(connectionsMax: number): string {
  return (
    `All ${connectionsMax} connections are taken, and more are refused. ` +
    'Raise --connections-max, or the limit of open files (ulimit -n).'
  );
}
