import { fileURLToPath } from 'node:url';
import { type Child, type ChildOptions, type Exit, startChild } from './child.ts';

const programPath = fileURLToPath(new URL('../../bin/mlog.js', import.meta.url));
const readyTimeoutMs = 20_000;
const running = new Set<Child>();

/** One line of diagnostics, as pino wrote it. */
export type LogLine = Record<string, unknown>;

/** The result of a program that ran to its end. */
export type Run = Exit & { stdout: string; stderr: string };

/** A program that keeps running, such as `mlog serve`. */
export type Program = {
  /** The line with `msg` "Ready", which names the URL of each role that the program runs. */
  ready: LogLine;
  pid: number;
  stderr: () => string;
  /** Returns all lines of stderr so far that are JSON objects. */
  lines: () => readonly LogLine[];
  /** Resolves with the first matching line, including earlier ones. */
  waitForLine: (predicate: (line: LogLine) => boolean, timeoutMs: number) => Promise<LogLine>;
  /** Sends a signal, SIGKILL by default, and waits for the end of the program. */
  kill: (signal?: NodeJS.Signals) => Promise<Exit>;
  exited: Promise<Exit>;
};

/** Runs the built program to its end. Rejects with its output if that takes too long. */
export const runProgram = async (
  args: readonly string[],
  { timeoutMs = 20_000, ...options }: ChildOptions & { timeoutMs?: number } = {},
): Promise<Run> => {
  const child = await launch(args, options);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    void child.kill();
  }, timeoutMs);
  const exit = await child.exited;
  clearTimeout(deadline);
  const run = { ...exit, stdout: child.stdout(), stderr: child.stderr() };
  if (!late) return run;
  throw new Error(`mlog ${args.join(' ')} ran for ${timeoutMs} ms\n${run.stdout}${run.stderr}`);
};

/** Starts the built program and waits until it is ready. Rejects with its stderr otherwise. */
export const startProgram = async (
  args: readonly string[],
  options: Omit<ChildOptions, 'input'> = {},
): Promise<Program> => {
  const child = await launch(args, options);
  const lines = followLines(child);
  const waitForLine: Program['waitForLine'] = (predicate, timeoutMs) =>
    child.waitFor(() => lines().find(predicate), timeoutMs);
  const { pid, stderr, kill, exited } = child;
  const ready = await waitForLine((line) => line['msg'] === 'Ready', readyTimeoutMs);
  return { ready, pid, stderr, lines, waitForLine, kill, exited };
};

/** Kills every program of this file that is still running. Tests call it after each test. */
export const stopAllPrograms = async (): Promise<void> => {
  await Promise.all([...running].map((child) => child.kill()));
};

// Nothing else comes from outside: a developer's MLOG_* or NO_COLOR would change the tests.
const cleanEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
});

const launch = async (args: readonly string[], options: ChildOptions): Promise<Child> => {
  const env = { ...cleanEnvironment(), ...options.env };
  const child = await startChild(process.execPath, [programPath, ...args], { ...options, env });
  running.add(child);
  void child.exited.then(() => running.delete(child));
  return child;
};

/** Parses each line of stderr once, however often it is requested. */
const followLines = (child: Child): (() => readonly LogLine[]) => {
  const lines: LogLine[] = [];
  let position = 0;
  return () => {
    const text = child.stderr();
    for (let end; (end = text.indexOf('\n', position)) !== -1; position = end + 1) {
      const line = parseLine(text.slice(position, end));
      if (line) lines.push(line);
    }
    return lines;
  };
};

const parseLine = (text: string): LogLine | undefined => {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
};
