import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { MlogError } from '../../errors.ts';
import type { Entry } from '../../message.ts';
import { toLine, type EntryConsumer, type KeepPosition } from './printer.ts';
import { remark } from '../print.ts';

/** How entries are passed to a command. */
export interface ExecOptions {
  /** A command line for the shell. */
  readonly command: string;
  /** The most entries per run, one per line. If unset, a run gets one entry as its plain text. */
  readonly batchMaxCount?: number | undefined;
  /** How often to run the command for the same entries before the list ends with an error. */
  readonly attemptsMax: number;
  readonly json?: boolean | undefined;
}

/** The pause between a failed run and the next. */
const retryDelayMs = 1_000;

/**
 * Returns a consumer that runs a command for each entry, or for several at a time, with the entries
 * on its stdin. The position moves after exit code 0, so each entry is passed on at least once. The
 * command shares stdout and stderr with this process. `take` throws `failed_precondition` when the
 * last attempt has failed, and the position then stays before those entries.
 */
export function createEntryRunner(
  options: ExecOptions,
  keep: KeepPosition | undefined,
): EntryConsumer {
  const { batchMaxCount = 1 } = options;
  return {
    async take(entries, stopping) {
      for (let from = 0; from < entries.length; from += batchMaxCount) {
        const batch = entries.slice(from, from + batchMaxCount);
        if (stopping?.aborted || !(await runFor(batch, options, stopping))) return false;
        keep?.(batch.at(-1)!.seq);
      }
      return true;
    },
  };
}

/** Runs the command until it succeeds. Returns false if it was told to stop before that. */
async function runFor(
  batch: readonly Entry[],
  { command, batchMaxCount, attemptsMax, json }: ExecOptions,
  stopping: AbortSignal | undefined,
): Promise<boolean> {
  const isPlain = batchMaxCount === undefined && !json;
  const input = isPlain ? batch[0]!.txt : batch.map((entry) => toLine(entry, json)).join('');
  for (let attempt = 1; ; attempt += 1) {
    const failure = await run(command, input);
    if (failure === undefined) return true;
    const error = failedError(failure, batch);
    if (attempt === attemptsMax) throw error;
    remark(`${error.message} Attempt ${attempt} of ${attemptsMax}.`);
    await sleep(retryDelayMs, undefined, stopping && { signal: stopping }).catch(() => {});
    if (stopping?.aborted) return false;
  }
}

/** Runs a command line with an input. Returns how it failed, or undefined if it succeeded. */
function run(command: string, input: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      // In a process group of its own: Ctrl-C is meant for this process, which lets the command
      // finish.
      detached: process.platform !== 'win32',
    });
    child.once('error', ({ message }) => resolve(`could not be started: ${message}`));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(code === null ? `was ended by ${signal}` : `ended with ${code}`);
    });
    // Without a free descriptor, the child has no stdin. Otherwise it may exit before reading it,
    // and its exit code tells the outcome.
    child.once('spawn', () => child.stdin.on('error', () => {}).end(input));
  });
}

function failedError(failure: string, batch: readonly Entry[]): MlogError {
  const [first, last] = [batch[0]!.seq, batch.at(-1)!.seq];
  const what = first === last ? `entry ${first}` : `entries ${first} to ${last}`;
  return new MlogError('failed_precondition', `The command of --exec ${failure} for ${what}.`, {
    hint: `The position stays after entry ${first - 1}; the next run starts there.`,
  });
}
