import type { GrpcAddress } from '../../address.ts';
import { toMlogError } from '../../errors.ts';
import { createGate } from '../../journal/gate.ts';
import type { Journal } from '../../journal/journal.ts';
import { createDetectedJournal } from '../../journal/remote/detected.ts';
import type { RemoteLogging } from '../../journal/remote/logging.ts';
import { listTexts, oneText } from '../../journal/texts.ts';
import type { Reach } from '../../net/reach.ts';
import { openGrpcClient } from './client.ts';
import { createCallJournal } from './reference.ts';
import { createStreamJournal } from './stream.ts';

/**
 * Opens the logging service at an address, mlog or the reference. On first use it asks which
 * dialect the service speaks: only mlog has more calls than the two of the reference. Every call
 * but reads has the time limit.
 */
export function openGrpcLogging(address: GrpcAddress, reach: Reach): RemoteLogging {
  const client = openGrpcClient(address, reach);
  const dialects = { mlog: createStreamJournal(client), reference: createCallJournal(client) };

  async function detect(forget: () => void): Promise<Journal> {
    try {
      await dialects.mlog.head();
      return dialects.mlog;
    } catch (error) {
      if (toMlogError(error).code !== 'unimplemented') throw error;
      // mlog knows the calls of the reference, so no call fails when it takes over the address.
      // Detect again after a lost connection instead.
      client.onDisconnect(forget);
      return dialects.reference;
    }
  }

  const gate = createGate();
  const journal = createDetectedJournal(detect, () => dialects.mlog.close(), gate);
  return {
    journal,
    async list() {
      try {
        return await listTexts(journal);
      } catch (error) {
        if (toMlogError(error).code !== 'unimplemented') throw error;
      }
      const texts = await gate.pass(() => dialects.reference.texts());
      return oneText(`${JSON.stringify(texts)}\n`);
    },
    async check() {
      try {
        await journal.head();
      } catch (error) {
        // The reference has no call for its range. That it answers is all it can say.
        if (toMlogError(error).code !== 'unimplemented') throw error;
      }
    },
    tellsStatus: true,
  };
}
