import { flagOf, readSettings } from '../../config.ts';
import { parseWholeNumber } from '../../quantity.ts';
import { MlogError } from '../../errors.ts';
import { Place } from '../../journal/place.ts';
import type { Selection } from '../../journal/select.ts';
import { runUntilSignal } from '../../lifecycle.ts';
import { openCursor, type Cursor } from './cursor.ts';
import { createEntryPrinter, type EntryConsumer, type KeepPosition } from './printer.ts';
import { withFacade } from '../facade-client.ts';
import { createEntryRunner } from './exec.ts';
import { listAndFollow } from './follow.ts';
import { listOnce, type ListRange } from './once.ts';
import { flush } from '../print.ts';

/** The options of `mlog list` besides the settings. */
export interface ListOptions {
  readonly after?: string;
  readonly limit?: string;
  readonly last?: string;
  readonly json?: boolean;
  /** Continue with new messages as they arrive. */
  readonly follow?: boolean;
  /** A file that holds the position, from which the list resumes. */
  readonly cursor?: string;
  /** A command line that runs for each message instead of printing it. */
  readonly exec?: string;
  readonly execBatch?: string;
  readonly execAttempts?: string;
}

/** Prints the messages, as text or as JSON, one per line, or runs a command for each. */
export async function list(options: ListOptions): Promise<void> {
  const { follow, exec, ...others } = options;
  const settings = readSettings('client', others);
  checkExcluding(options);
  const numbers = readNumbers(options);
  const cursor = options.cursor === undefined ? undefined : openCursor(options.cursor);
  const range = toRange(options, numbers, cursor);
  const keep = cursor && ((seq: number) => cursor.save({ seq, journal: range.place.journal }));
  const consumer = createConsumer(options, numbers, keep);
  try {
    await withFacade(settings, async (client) => {
      if (!follow && exec === undefined) return await listOnce(client, range, consumer);
      const run = follow ? listAndFollow : listOnce;
      await runUntilSignal(async (signal) => {
        await run(client, range, consumer, signal);
        await flush();
      });
    });
  } finally {
    cursor?.close();
  }
}

function createConsumer(
  { exec, json }: ListOptions,
  { execBatch, execAttempts = 1 }: Numbers,
  keep: KeepPosition | undefined,
): EntryConsumer {
  if (exec === undefined) return createEntryPrinter({ ...(json && { json }) }, keep);
  const counts = { batchMaxCount: execBatch, attemptsMax: execAttempts };
  return createEntryRunner({ command: exec, json, ...counts }, keep);
}

function toRange(
  { json, exec }: ListOptions,
  { after, limit, last }: Numbers,
  cursor: Cursor | undefined,
): ListRange {
  const { kept } = cursor ?? {};
  const seq = kept?.seq ?? after;
  const selection: Selection = {
    ...(seq !== undefined && { after: seq }),
    ...(limit !== undefined && { limit }),
    ...(last !== undefined && { last }),
  };
  const isPlain = !json && exec === undefined && !cursor && Object.keys(selection).length === 0;
  const place = new Place({ seq, journal: kept?.journal });
  function onFound(): void {
    // A cursor of an older version holds only the position.
    if (kept && !kept.journal) cursor?.save({ seq: kept.seq, journal: place.journal });
  }
  return { selection, place, onFound, needsEntries: !isPlain };
}

/** The options that are whole numbers, with the least value of each. */
const leastOf = { after: 0, limit: 0, last: 0, execBatch: 1, execAttempts: 1 } as const;

type Numbers = { readonly [Name in keyof typeof leastOf]?: number };

function readNumbers(options: ListOptions): Numbers {
  const numbers: { -readonly [Name in keyof Numbers]: Numbers[Name] } = {};
  for (const [name, least] of Object.entries(leastOf) as [keyof Numbers, number][]) {
    const given = options[name];
    if (given === undefined) continue;
    const value = parseWholeNumber(given, least, Number.MAX_SAFE_INTEGER);
    if (value === undefined) {
      throw new MlogError('usage', `${flagOf(name)} is ${JSON.stringify(given)}.`, {
        hint: `It must be a whole number of ${least} or more.`,
      });
    }
    numbers[name] = value;
  }
  return numbers;
}

const excluding = [
  ['limit', 'last', '--limit takes the first messages, --last the last ones.'],
  ['after', 'cursor', 'A cursor says by itself where to go on.'],
  ['last', 'cursor', 'A cursor says by itself where to go on.'],
] as const;

function checkExcluding(options: ListOptions): void {
  for (const [one, other, hint] of excluding) {
    if (options[one] === undefined || options[other] === undefined) continue;
    throw new MlogError('usage', `${flagOf(one)} and ${flagOf(other)} cannot be combined.`, {
      hint,
    });
  }
  const { exec, execBatch, execAttempts } = options;
  if (exec === '' || (exec === undefined && (execBatch ?? execAttempts) !== undefined)) {
    throw new MlogError('usage', 'There is no command: --exec is missing or empty.', {
      hint: 'Give one, such as --exec ./import.sh.',
    });
  }
}
