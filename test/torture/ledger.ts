import type { StoredEntry, Writers } from '../support/writers.ts';
import type { Tally } from './proof.ts';

/** What can be wrong with a journal, seen from those who wrote. */
export const journalFaults = ['lost', 'doubled', 'altered', 'phantom', 'gaps'] as const;

/** What was sent, and what of it was acknowledged. */
export type Ledger = Pick<Writers, 'attempted' | 'acknowledged'>;

/** Makes one ledger of those of writers who wrote to the same journal. */
export const joinLedgers = (ledgers: readonly Ledger[]): Ledger => ({
  attempted: new Map(ledgers.flatMap(({ attempted }) => [...attempted])),
  acknowledged: new Set(ledgers.flatMap(({ acknowledged }) => [...acknowledged])),
});

/**
 * Compares a journal with what its writers know: an acknowledged message that is not there is
 * lost, an id that is there again doubled, a text that is another one altered, an id that was
 * never sent a phantom, and a `seq` that does not follow the one before it a gap.
 */
export const judge = (
  tally: Pick<Tally<never, (typeof journalFaults)[number]>, 'found'>,
  entries: readonly StoredEntry[],
  { attempted, acknowledged }: Ledger,
): void => {
  const stored = new Set<string>();
  for (const [index, { seq, id, txt }] of entries.entries()) {
    if (seq !== index + 1) tally.found('gaps', `seq ${seq} at place ${index + 1}`);
    if (stored.has(id)) tally.found('doubled', id);
    const sent = attempted.get(id);
    if (sent === undefined) tally.found('phantom', id);
    else if (sent !== txt) tally.found('altered', `${id}: ${JSON.stringify(txt)}`);
    stored.add(id);
  }
  for (const id of acknowledged) if (!stored.has(id)) tally.found('lost', id);
};
