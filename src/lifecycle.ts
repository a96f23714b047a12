import { fstatSync, readSync, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import { startedAs } from './config.ts';
import { hasErrno, MlogError } from './errors.ts';
import type { Logger } from './observe/logger.ts';

/** Something that was started or opened. */
export interface Closeable {
  close(): Promise<void>;
}

/** A running service. */
export interface StartedService extends Closeable {
  readonly url: string;
  /** What the start line says about it, by name. */
  readonly facts: Readonly<Record<string, string>>;
}

/** How a process runs until it is told to stop. */
export interface RunOptions {
  /** Starts everything. If it throws, it has closed what it had started. */
  readonly start: () => Promise<Closeable>;
  /** Rejects when the process can no longer do its work. */
  readonly failed: Promise<never>;
  readonly shutdownTimeoutMs: number;
  readonly logger: Logger;
  /** Reads again what may change while the process runs. SIGHUP then does this, and stops nothing. */
  readonly onHangup?: (() => void) | undefined;
}

/**
 * Starts, waits for SIGTERM, SIGINT or the end of the terminal, and shuts down gracefully: accepted
 * requests are answered first. Signals are handled from the start, because a supervisor may send
 * one as soon as the process is ready. A second signal ends the process at once, unless it follows
 * within half a second: Ctrl-C arrives from the terminal and from npm.
 *
 * If the start fails, its error is thrown. If `failed` rejects, waiting clients are answered within
 * half a second and its error is thrown. Throws `failed_precondition` if the shutdown takes too
 * long, or the start does after a signal.
 */
export async function runUntilStopped(options: RunOptions): Promise<void> {
  const { start, failed, shutdownTimeoutMs, logger } = options;
  tellWarnings(logger);
  const { signalled, forget } = listenForSignal(options.onHangup);
  const isAtTerminal = [0, 1, 2].some(isatty);
  let started: Closeable | undefined;
  try {
    const late = signalled.then(() => deadline(shutdownTimeoutMs));
    // After the start this no longer matters.
    late.catch(() => {});
    started = await Promise.race([start(), failed, late]);
    const signal = await Promise.race([signalled, failed]);
    logger.info({ signal }, 'Stopping');
    await Promise.race([started.close(), failed, deadline(shutdownTimeoutMs)]);
    logger.info('Stopped');
    // Without its terminal, a normal exit of Node fails an assertion in Node.
    if (signal === 'SIGHUP' && isAtTerminal) {
      process.once('exit', () => process.kill(process.pid, signal));
    }
  } catch (error) {
    await Promise.race([started?.close(), deadline(failureGraceMs)]).catch(() => {});
    throw error;
  } finally {
    forget();
  }
}

/** Logs Node's own warnings. Node would print them as text between the lines of the diagnostics. */
function tellWarnings(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn({ name }, `Node warns: ${message}`));
}

const failureGraceMs = 500;

/** The signals that shut down a process. SIGHUP comes from a closed terminal. */
const signals: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/**
 * Ignores signals that mlog does not use but Node does: SIGUSR1 would open the debugger port.
 * SIGHUP would end a process under `nohup`, because Node resets at its start what `nohup` has set.
 */
export function ignoreStraySignals(): void {
  process.on('SIGUSR1', () => {});
  if (!isUnderNohup()) return;
  process.on('SIGHUP', () => {});
  signals.splice(signals.indexOf('SIGHUP'), 1);
}

/**
 * Says whether `nohup` started this process. The shell may tell in the environment, and at a
 * terminal GNU's `nohup` makes stdin unreadable.
 */
function isUnderNohup(): boolean {
  return /(?:^|\/)nohup$/.test(startedAs() ?? '') || isUnreadable(stdinFd);
}

const stdinFd = 0;

function isUnreadable(fd: number): boolean {
  try {
    // Reading from a terminal or a pipe might consume input.
    if (fstatSync(fd).rdev === statSync('/dev/null').rdev) readSync(fd, Buffer.alloc(1));
    return false;
  } catch (error) {
    return hasErrno(error, 'EBADF');
  }
}

/** One Ctrl-C arrives twice if npm or the primary process of workers forwards it. */
const repeatGraceMs = 500;

/** Handles the first signal, then restores the default action for later ones. */
function listenForSignal(onHangup?: () => void): {
  signalled: Promise<NodeJS.Signals>;
  forget: () => void;
} {
  let hear!: (signal: NodeJS.Signals) => void;
  const signalled = new Promise<NodeJS.Signals>((resolve) => (hear = resolve));
  function onSignal(signal: NodeJS.Signals): void {
    setTimeout(forget, repeatGraceMs).unref();
    hear(signal);
  }
  function forget(): void {
    for (const name of stops) process.off(name, onSignal);
  }
  const stops = onHangup ? signals.filter((name) => name !== 'SIGHUP') : signals;
  for (const name of stops) process.on(name, onSignal);
  if (onHangup) process.on('SIGHUP', onHangup);
  return { signalled, forget };
}

/**
 * Runs an action without an end of its own until SIGINT, SIGTERM or SIGHUP, lets it finish what it
 * is doing, and then ends the process by that signal, as if it were unhandled. A second signal does
 * not wait.
 */
export async function runUntilSignal(
  action: (stopping: AbortSignal) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  let received: NodeJS.Signals | undefined;
  function onSignal(signal: NodeJS.Signals): void {
    received = signal;
    for (const name of signals) process.off(name, onSignal);
    stopping.abort();
  }
  for (const name of signals) process.on(name, onSignal);
  await action(stopping.signal);
  for (const name of signals) process.off(name, onSignal);
  if (received === undefined) return;
  process.kill(process.pid, received);
  // The signal arrives shortly; nothing else may run before.
  await new Promise(() => setTimeout(() => {}, failureGraceMs));
}

const parentLookMs = 200;

/**
 * Stops this process like SIGTERM does when its parent process has ended. `npm start` needs this:
 * npm passes SIGTERM to its shell, which ends without passing it on. Only `exec` in the script
 * would do the same, and Windows has no `exec`.
 */
export function stopWithParent(): void {
  const parent = process.ppid;
  // Emitted, not sent: a second real signal would end a shutdown in progress.
  setInterval(() => {
    if (process.ppid !== parent) process.emit('SIGTERM', 'SIGTERM');
  }, parentLookMs).unref();
}

function deadline(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    const error = new MlogError('failed_precondition', `The shutdown took more than ${ms} ms.`, {
      hint: 'Some requests were cut; their senders may repeat them with the same ids.',
    });
    setTimeout(reject, ms, error).unref();
  });
}

/** Closes several things, the last one first. If one fails, the others are closed all the same. */
export async function closeInReverse(things: readonly Closeable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const thing of things.toReversed()) {
    await thing.close().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}
