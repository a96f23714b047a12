import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** What the system calls of a logging service show. */
export type SyncTrace = {
  /** How many messages were answered 2xx. */
  replies: number;
  /** Those that were answered before the end of a sync that began after their write. */
  unsynced: readonly string[];
  /** The sync that was made to fail. */
  failed: FailedSync | undefined;
};

/** A sync that was made to fail. */
export type FailedSync = {
  /** In milliseconds since 1970. */
  at: number;
  /** The file or folder that was not synced. */
  path: string;
  /**
   * It was synced again, successfully, before the first reply. SQLite ignores a failure for a
   * folder.
   */
  isMended: boolean;
};

/** An id that can be found among the bytes of a page. */
export const traceableId = (name: string, n: number): string => `<${name}.${n}>`;

const idPattern = /<[a-z]+\.\d+>/g;

/**
 * Reads the records of `traceWrites`. The lines are in the order of events, because every thread
 * stands still while strace writes. A call that is interrupted by calls of other threads has two
 * lines.
 */
export const readSyncTrace = async (file: string): Promise<SyncTrace> => {
  const writtenAt = new Map<string, number>();
  const syncing = new Map<string, { path: string; place: number }>();
  const unsynced: string[] = [];
  let replies = 0;
  let failed: FailedSync | undefined;
  let syncedUpTo = 0;
  let place = 0;

  const endSync = (thread: string, rest: string, time: string): void => {
    const { path, place: beganAt } = syncing.get(thread)!;
    if (/ = 0(?: |$)/.test(rest)) {
      if (path.endsWith('-wal')) syncedUpTo = Math.max(syncedUpTo, beganAt);
      if (path === failed?.path && replies === 0) failed.isMended = true;
    } else if (rest.includes('INJECTED')) {
      failed ??= { at: Number(time) * 1000, path, isMended: false };
    }
  };

  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [, thread = '', time = '', call = ''] = /^(\d+) +(\d+\.\d+) (.*)$/.exec(line) ?? [];
    place += 1;
    if (call.startsWith('pwrite64(')) {
      if (!/^pwrite64\(\d+<[^>]*-wal>/.test(call)) continue;
      for (const [id] of call.matchAll(idPattern)) {
        if (!writtenAt.has(id)) writtenAt.set(id, place);
      }
    } else if (/^f(?:data)?sync\(/.test(call)) {
      const [, path = ''] = /^\w+\(\d+<([^>]*)>/.exec(call) ?? [];
      syncing.set(thread, { path, place });
      if (!call.includes('<unfinished')) endSync(thread, call, time);
    } else if (/^<\.\.\. f(?:data)?sync resumed/.test(call)) {
      endSync(thread, call, time);
    } else if (/HTTP\/1\.1 20[01] /.test(call)) {
      for (const id of new Set(Array.from(call.matchAll(idPattern), ([found]) => found))) {
        replies += 1;
        const written = writtenAt.get(id);
        if (written === undefined || written >= syncedUpTo) unsynced.push(id);
      }
    }
  }
  return { replies, unsynced, failed };
};
