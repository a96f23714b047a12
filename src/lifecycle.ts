import { fstatSync, readSync, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import { startedAs } from './config.ts';
import { hasErrno, MlogError } from './errors.ts';
import type { Logger } from './observe/logger.ts';

/** Something that was started or opened. */
export interface Closeable {
  close(): Promise<void>;
}

/** A service that runs. */
export interface StartedService extends Closeable {
  readonly url: string;
  /** What the start line says of it, by name. */
  readonly facts: Readonly<Record<string, string>>;
}

/** How a process runs until it is told to stop. */
export interface RunOptions {
  /** Starts all that runs; where it throws, it has closed what it had started. */
  readonly start: () => Promise<Closeable>;
  /** Rejects when the process can do its work no longer. */
  readonly failed: Promise<never>;
  readonly shutdownTimeoutMs: number;
  readonly logger: Logger;
}

/**
 * Starts, waits for SIGTERM, SIGINT or the end of the terminal, and stops in order: whoever was
 * accepted is answered first. A signal is heard from the start on, for whoever reads that it is
 * ready may send one at once. A second signal ends the process at once, unless it comes within half
 * a second: Ctrl-C comes from the terminal and from npm.
 *
 * When the start fails, its error is thrown. When `failed` rejects,
 * whoever waits is told so, within half a second, and its error is thrown. Throws
 * `failed_precondition` when a stop takes too long, or a start that a signal is to end.
 */
export async function runUntilStopped(options: RunOptions): Promise<void> {
  const { start, failed, shutdownTimeoutMs, logger } = options;
  tellWarnings(logger);
  const { signalled, forget } = listenForSignal();
  const isAtTerminal = [0, 1, 2].some(isatty);
  let started: Closeable | undefined;
  try {
    const late = signalled.then(() => deadline(shutdownTimeoutMs));
    // After the start it means nothing.
    late.catch(() => {});
    started = await Promise.race([start(), failed, late]);
    const signal = await Promise.race([signalled, failed]);
    logger.info({ signal }, 'Stopping');
    await Promise.race([started.close(), failed, deadline(shutdownTimeoutMs)]);
    logger.info('Stopped');
    // Once its terminal is gone, Node fails an assertion of its own where it exits by itself.
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

/** Tells Node's own warnings as lines of the diagnostics; Node prints text between those. */
function tellWarnings(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn({ name }, `Node warns: ${message}`));
}

const failureGraceMs = 500;

/** What stops a process in order. SIGHUP comes from a terminal that is closed. */
const signals: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/**
 * Ignores signals that mean nothing to mlog, but something to Node: SIGUSR1 would open the port of
 * its debugger, and SIGHUP would end a process that `nohup` was to protect, since Node undoes at its
 * start what `nohup` has set.
 */
export function ignoreStraySignals(): void {
  process.on('SIGUSR1', () => {});
  if (!isUnderNohup()) return;
  process.on('SIGHUP', () => {});
  signals.splice(signals.indexOf('SIGHUP'), 1);
}

/**
 * Says whether `nohup` started this process. Its shell may tell so in the environment; and at a
 * terminal GNU's `nohup` makes stdin one that cannot be read.
 */
function isUnderNohup(): boolean {
  return /(?:^|\/)nohup$/.test(startedAs() ?? '') || isUnreadable(stdinFd);
}

const stdinFd = 0;

function isUnreadable(fd: number): boolean {
  try {
    // A terminal or a pipe might have something to read.
    if (fstatSync(fd).rdev === statSync('/dev/null').rdev) readSync(fd, Buffer.alloc(1));
    return false;
  } catch (error) {
    return hasErrno(error, 'EBADF');
  }
}

/** One Ctrl-C comes twice where npm or a keeper of workers hands it on. */
const repeatGraceMs = 500;

/** Hears the first signal and lets a later one act as if nobody listened. */
function listenForSignal(): { signalled: Promise<NodeJS.Signals>; forget: () => void } {
  let hear!: (signal: NodeJS.Signals) => void;
  const signalled = new Promise<NodeJS.Signals>((resolve) => (hear = resolve));
  function onSignal(signal: NodeJS.Signals): void {
    setTimeout(forget, repeatGraceMs).unref();
    hear(signal);
  }
  function forget(): void {
    for (const name of signals) process.off(name, onSignal);
  }
  for (const name of signals) process.on(name, onSignal);
  return { signalled, forget };
}

/**
 * Runs an action that has no end of its own until SIGINT, SIGTERM or SIGHUP, lets it finish what it
 * is at, and then ends the process by that signal, as if nobody had listened. A second one does not
 * wait.
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
  // The signal arrives in a moment; nothing is to be done before.
  await new Promise(() => setTimeout(() => {}, failureGraceMs));
}

const parentLookMs = 200;

/**
 * Stops this process, as SIGTERM does, when the process that started it has ended. `npm start` needs
 * this: npm passes SIGTERM to the shell between it and mlog, and the shell ends without passing it
 * on. Only `exec` in the script would do the same, and Windows has no `exec`.
 */
export function stopWithParent(): void {
  const parent = process.ppid;
  // Not a real signal: a second one would end a stop that is under way.
  setInterval(() => {
    if (process.ppid !== parent) process.emit('SIGTERM', 'SIGTERM');
  }, parentLookMs).unref();
}

function deadline(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    const error = new MlogError('failed_precondition', `The stop took more than ${ms} ms.`, {
      hint: 'Some requests were cut; whoever sent them may send them again under the same ids.',
    });
    setTimeout(reject, ms, error).unref();
  });
}

/** Closes several things, the last one first; one that fails does not keep the others open. */
export async function closeInReverse(things: readonly Closeable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const thing of things.toReversed()) {
    await thing.close().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}
