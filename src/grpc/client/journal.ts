import { toMlogError } from '../../errors.ts';
import { createFoundJournal } from '../../journal/remote/found.ts';
import { createGate } from '../../journal/gate.ts';
import type { Journal } from '../../journal/journal.ts';
import { openGrpcClient } from './client.ts';
import { createCallJournal, type GrpcJournal } from './reference.ts';
import { createStreamJournal } from './stream.ts';

/**
 * Gives the journal of the logging service at `grpc://HOST:PORT`, mlog or reference, and finds out
 * which by itself: only mlog has more calls than the two of the reference. No call takes longer than
 * `timeoutMs`, but reading.
 */
export function createGrpcJournal(url: string, timeoutMs: number): GrpcJournal {
  const client = openGrpcClient(url, timeoutMs);
  const dialects = { mlog: createStreamJournal(client), reference: createCallJournal(client) };

  async function find(forget: () => void): Promise<Journal> {
    try {
      await dialects.mlog.head();
      return dialects.mlog;
    } catch (error) {
      if (toMlogError(error).code !== 'unimplemented') throw error;
      // No call need fail when mlog comes in its place, for it knows those of the reference too.
      client.onDisconnect(forget);
      return dialects.reference;
    }
  }

  const gate = createGate();
  return {
    ...createFoundJournal(find, () => dialects.mlog.close(), gate),
    texts: () => gate.pass(() => dialects.reference.texts()),
  };
}
