import { setTimeout as sleep } from 'node:timers/promises';
import { toMlogError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import { followEntries, readHead } from '../http/ndjson-client.ts';
import { checkSeen } from '../journal/gone.ts';
import { runUntilSignal } from '../lifecycle.ts';
import type { EntryPrinter } from './entry-printer.ts';
import { flush, remark } from './print.ts';

/** A facade that went away is asked again after this. */
const reconnectMs = 1_000;

/**
 * Prints what there is and then what comes, until a signal, the limit, or a reader that has gone.
 * A facade that goes away is waited for, and taken up again where it was. Throws when there is none
 * at first, when what comes next was removed by retention, or when the journal does not have what was
 * `seen` of it.
 */
export async function listAndFollow(
  client: HttpClient,
  query: URLSearchParams,
  printer: EntryPrinter,
  seen: number,
): Promise<void> {
  let position = await findStart(client, query, seen);
  let left = Number(query.get('limit') ?? Infinity);
  let isLost = false;

  /** Gives false when there is no more to print. */
  async function followOnce(signal: AbortSignal): Promise<boolean> {
    if (isLost) checkSeen(seen, await readHead(client, '/'));
    if (isLost) remark('Connected again.');
    isLost = false;
    for await (const entries of followEntries(client, '/', { after: position, signal })) {
      const some = entries.slice(0, left);
      if (!(await printer.print(some))) return false;
      position = seen = some.at(-1)!.seq;
      left -= some.length;
      if (left === 0 || signal.aborted) return false;
    }
    return !signal.aborted;
  }

  await runUntilSignal(async (signal) => {
    while (left > 0) {
      try {
        if (!(await followOnce(signal))) break;
        if (!isLost) remark('The facade has stopped. Waiting for it.');
      } catch (thrown) {
        const error = toMlogError(thrown);
        if (!error.retryable) throw error;
        if (!isLost) remark(`${error.message} Trying again.`);
      }
      isLost = true;
      await sleep(reconnectMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
    }
    await flush();
  });
}

/** The position to begin behind; named in each request, so that a reconnection misses nothing. */
async function findStart(
  client: HttpClient,
  query: URLSearchParams,
  seen: number,
): Promise<number> {
  const after = query.get('after');
  const last = query.get('last');
  const head = await readHead(client, '/');
  checkSeen(seen, head);
  const { firstSeq, lastSeq } = head;
  const from = after === null ? firstSeq - 1 : Number(after);
  return last === null ? from : Math.max(from, lastSeq - Number(last));
}
