import { proof as anyText } from './any-text.ts';
import { proof as boundedCalls } from './bounded-calls.ts';
import { proof as between } from './between.ts';
import { proof as boundedMemory } from './bounded-memory.ts';
import { proof as bulkUpload } from './bulk-upload.ts';
import { proof as chaos } from './chaos.ts';
import { proof as damagedStore } from './damaged-store.ts';
import { proof as failedSync } from './failed-sync.ts';
import { proof as followers } from './followers.ts';
import { proof as fullDisk } from './full-disk.ts';
import { proof as killedProcess } from './killed-process.ts';
import { proof as lostReply } from './lost-reply.ts';
import { proof as oneCopy } from './one-copy.ts';
import { proof as oneOwner } from './one-owner.ts';
import { proof as powerCut } from './power-cut.ts';
import { proof as refusedRequest } from './refused-request.ts';
import { proof as syncOrder } from './sync-order.ts';
import { proof as threeAttempts } from './three-attempts.ts';
import type { Proof } from './proof.ts';

/** Every proof, in the order in which they run. */
export const proofs: readonly Proof[] = [
  killedProcess,
  powerCut,
  syncOrder,
  oneCopy,
  lostReply,
  threeAttempts,
  chaos,
  refusedRequest,
  fullDisk,
  failedSync,
  oneOwner,
  followers,
  anyText,
  boundedMemory,
  boundedCalls,
  damagedStore,
  bulkUpload,
  between,
];
