import { parentPort, workerData } from 'node:worker_threads';
import { MlogError } from '../errors.ts';
import type { Entry, Message } from '../message.ts';
import { resultCode, resultCodes } from './sqlite-driver.ts';
import { closeStoreFile, openStoreFile } from './sqlite-file.ts';
import { SqliteStore } from './sqlite-store.ts';

/** What the main thread asks, one at a time; the replies come in the same order. */
export type Call =
  | { readonly verb: 'append'; readonly messages: readonly Message[] }
  | { readonly verb: 'copy'; readonly entries: readonly Entry[] }
  | { readonly verb: 'page'; readonly after: number; readonly limit: number }
  | { readonly verb: 'get'; readonly id: string }
  | { readonly verb: 'head' }
  | { readonly verb: 'close' };

/** What the thread answers to a call; the first reply of all tells whether the store is open. */
export type Reply =
  | { readonly result: unknown }
  | {
      readonly error: Pick<MlogError, 'code' | 'message' | 'hint' | 'details'>;
      /** After this error the thread does nothing any more. */
      readonly fatal: boolean;
    };

/** What the thread is started with. */
export interface ThreadData {
  readonly path: string;
}

const port = parentPort!;
const { path } = workerData as ThreadData;
try {
  const opened = await openStoreFile(path);
  const store = new SqliteStore(opened.database);
  port.on('message', (call: Call) => {
    try {
      port.postMessage({ result: run(call) } satisfies Reply);
      if (call.verb === 'close') port.close();
    } catch (error) {
      const reply = toErrorReply(error);
      port.postMessage(reply);
      if ('fatal' in reply && reply.fatal) port.close();
    }
  });
  port.postMessage({ result: opened.warning } satisfies Reply);

  function run(call: Call): unknown {
    switch (call.verb) {
      case 'append':
        return store.append(call.messages);
      case 'copy':
        return store.copy(call.entries);
      case 'page':
        return store.page(call.after, call.limit);
      case 'get':
        return store.get(call.id);
      case 'head':
        return store.head();
      case 'close':
        return closeStoreFile(opened.database);
    }
  }
} catch (error) {
  port.postMessage(toErrorReply(error));
  port.close();
}

function toErrorReply(error: unknown): Reply {
  if (error instanceof MlogError) {
    const { code, message, hint, details } = error;
    return { error: { code, message, hint, details }, fatal: false };
  }
  const code = resultCode(error);
  if (code === resultCodes.full) {
    return failure('storage_full', 'The disk under the store is full; nothing was stored.', {
      hint: 'Free some space; the service goes on by itself.',
      fatal: false,
    });
  }
  // What one read finds damaged does not make the rest unreadable.
  if (code === resultCodes.corrupt) {
    return failure('data_loss', 'The store is damaged on its disk.', {
      hint: 'Stop the service, and see what `mlog verify` tells of the store.',
      fatal: false,
    });
  }
  // After a failed write or sync nobody knows what is on the disk, and a later sync that succeeds
  // proves nothing. Only reading the file anew tells, so the thread stops here.
  const reason = error instanceof Error ? error.message : String(error);
  return failure('unavailable', `The store failed: ${reason}.`, {
    hint: 'Look after the disk, then start the service again; what was acknowledged is kept.',
    fatal: true,
  });
}

function failure(
  code: MlogError['code'],
  message: string,
  { hint, fatal }: { hint: string; fatal: boolean },
): Reply {
  return { error: { code, message, hint, details: {} }, fatal };
}
