import { readSettings } from '../../config.ts';
import { MlogError } from '../../errors.ts';
import { runUntilSignal } from '../../lifecycle.ts';
import { withFacade } from '../facade-client.ts';
import { readLines, type LineInputOptions } from './line-input.ts';
import { outcomes, type Outcome } from './answer.ts';
import { LineSender } from './line-sender.ts';
import { flush, printJson, remark, showProgress } from '../print.ts';

/** The options of `mlog send --lines` besides the settings. */
export interface SendLinesOptions extends LineInputOptions {
  readonly json?: boolean;
}

const interruptedText = 'Interrupted: sending what was read. A second signal ends this at once.';

type Counts = Record<Outcome, number>;

/** How many lines that were not stored are reported as remarks. `--json` reports all of them. */
const remarksMaxCount = 100;

/**
 * Sends a message per line, in bulk and in order. Each line has its id before it is first sent, and
 * lines without a reply are sent again under the same ids. After SIGINT or SIGTERM it sends what
 * was read and ends by that signal. Throws if a line was not stored.
 */
export async function sendLines(options: SendLinesOptions): Promise<void> {
  const settings = readSettings('send', { ...options });
  const counts: Counts = { logged: 0, duplicate: 0, conflict: 0, refused: 0, unknown: 0 };
  const progress = showProgress(() => toSummary(counts));

  function tell(outcome: Outcome, fact: object): Promise<unknown> | undefined {
    counts[outcome] += 1;
    if (outcome === 'conflict' || outcome === 'refused') remarkOn(fact as NotStored, counts);
    return options.json ? printJson(fact) : undefined;
  }

  await runUntilSignal(async (stopping) => {
    stopping.addEventListener('abort', () => remark(interruptedText));
    const lines = readLines(options, {
      stopping,
      refuse: async (line, error) => {
        await tell('refused', { line, status: 'refused', error: error.message });
      },
    });
    try {
      await withFacade(settings, (client) =>
        new LineSender(client, lines, { ...settings, tell }).sendAll(),
      );
    } finally {
      progress.end();
      remark(toSummary(counts));
    }
    const failure = toFailure(counts);
    if (failure) throw failure;
    await flush();
  });
}

interface NotStored {
  readonly line: number;
  readonly id?: string;
  readonly error?: string;
}

function remarkOn({ line, id, error }: NotStored, { conflict, refused }: Counts): void {
  const count = conflict + refused;
  if (count > remarksMaxCount) return;
  const what =
    error === undefined
      ? `conflicts: another text is stored under the id ${id}`
      : `is refused: ${error}`;
  remark(`Line ${line} ${what.replace(/\.$/, '')}.`);
  if (count === remarksMaxCount)
    remark('Further such lines are only counted; --json reports each.');
}

function toSummary(counts: Counts): string {
  const parts = outcomes.filter((outcome) => counts[outcome] > 0 || outcome === 'logged');
  return parts.map((outcome) => `${counts[outcome]} ${outcome}`).join(', ');
}

function toFailure({ conflict, refused }: Counts): MlogError | undefined {
  if (conflict > 0) {
    const which = conflict === 1 ? '1 line has an id' : `${conflict} lines have ids`;
    return new MlogError('conflict', `${which} under which another text is stored.`);
  }
  if (refused === 0) return undefined;
  const which = refused === 1 ? '1 line was' : `${refused} lines were`;
  return new MlogError('invalid_argument', `${which} refused.`);
}
