import type { StoredEntry, Writers } from '../support/writers.ts';
import type { Tally } from './proof.ts';

/** What can be wrong with a journal, from the point of view of its writers. */
export const journalFaults = ['lost', 'doubled', 'altered', 'phantom', 'gaps'] as const;

/** What was sent, and what of it was acknowledged. */
export type Ledger = Pick<Writers, 'attempted' | 'acknowledged'>;

/** Merges the ledgers of writers to the same journal. */
export const joinLedgers = (ledgers: readonly Ledger[]): Ledger => ({
  attempted: new Map(ledgers.flatMap(({ attempted }) => [...attempted])),
  acknowledged: new Set(ledgers.flatMap(({ acknowledged }) => [...acknowledged])),
});

/**
 * Compares a journal with the ledger of its writers. An acknowledged message that is missing is
 * lost, a repeated id is doubled, another text is altered, an id that was never sent is a phantom,
 * and a `seq` that does not follow the one before it is a gap.
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
