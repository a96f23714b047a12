import { parentPort, workerData } from 'node:worker_threads';
import { MlogError } from '../../errors.ts';
import { readSqliteVersion, resultCode, resultCodes } from './driver.ts';
import { toOpenError } from './errors.ts';
import { openStoreFile, type OpenedStore } from './file.ts';
import { LostFileError } from './open-files.ts';
import { SqliteStore } from './store.ts';
import { verifyStoreFile } from './verify.ts';
import type { ThreadCall, ThreadReply, ThreadData } from './wire.ts';

const port = parentPort!;
const { path, task } = workerData as ThreadData;
try {
  if (task === 'serve') await serve();
  else {
    const result = task === 'verify' ? await verifyStoreFile(path) : await readSqliteVersion();
    port.postMessage({ result } satisfies ThreadReply);
  }
} catch (error) {
  port.postMessage(toErrorReply(error, 'open'));
  port.close();
}

async function serve(): Promise<void> {
  const opened = await openStoreFile(path);
  const store = openStore(opened);
  port.on('message', (call: ThreadCall) => {
    try {
      port.postMessage({ result: run(call) } satisfies ThreadReply);
      if (call.verb === 'close') port.close();
    } catch (error) {
      if (error instanceof LostFileError) mergeIfPossible();
      const reply = toErrorReply(error, call.verb);
      port.postMessage(reply);
      if ('fatal' in reply && reply.fatal) port.close();
    }
  });
  port.postMessage({ result: opened.warning } satisfies ThreadReply);

  /**
   * Merges a lost log while that is possible. SQLite merges nothing into a file that was replaced.
   */
  function mergeIfPossible(): void {
    try {
      if (!opened.files.hasFile) return;
      opened.files.putAsideOtherLog();
      opened.log.close();
    } catch {
      // The error that led here is reported. The next start reports what it finds.
    }
  }

  function run(call: ThreadCall): unknown {
    switch (call.verb) {
      case 'append':
        return store.append(call.packed);
      case 'copy':
        return store.copy(call.entries, call.original);
      case 'page':
        return store.page(call);
      case 'retain':
        return store.retain(call);
      case 'find':
        return store.find(call.id);
      case 'head':
        return store.head();
      case 'original':
        return store.original();
      case 'watch':
        return opened.files.check();
      case 'close':
        return opened.log.close();
    }
  }
}

function openStore(opened: OpenedStore): SqliteStore {
  try {
    return new SqliteStore(opened);
  } catch (error) {
    throw toOpenError(error, path);
  }
}

function toErrorReply(error: unknown, verb: ThreadCall['verb'] | 'open'): ThreadReply {
  if (error instanceof MlogError) {
    const { code, message, hint, details } = error;
    const fatal = error instanceof LostFileError;
    return { error: { code, message, hint, details }, fatal };
  }
  const reason = error instanceof Error ? error.message : String(error);
  // A damaged entry in one read does not make the rest unreadable.
  if (verb === 'page' || verb === 'find') {
    return failure('data_loss', `The store cannot be read here: ${reason}.`, {
      hint: 'Continue after it, and run `mlog verify` on the store.',
      fatal: false,
    });
  }
  if (resultCode(error) === resultCodes.full) {
    return failure('storage_full', 'The disk under the store is full; nothing was stored.', {
      hint: 'Free some space; the service continues by itself.',
      fatal: false,
    });
  }
  // After a failed write or sync, nobody knows what is on the disk, and a later sync that succeeds
  // proves nothing. Only reading the file again tells, so the thread stops here.
  return failure('unavailable', `The store failed: ${reason}.`, {
    hint: 'Check the disk, then start the service again; everything acknowledged is kept.',
    fatal: true,
  });
}

function failure(
  code: MlogError['code'],
  message: string,
  { hint, fatal }: { hint: string; fatal: boolean },
): ThreadReply {
  return { error: { code, message, hint, details: {} }, fatal };
}
