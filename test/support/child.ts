import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';

/** How a process ended: with an exit code, or by a signal; the other one is null. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/** What a child process gets at its start. Without `env` it inherits ours. */
export type ChildOptions = {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  input?: string | Uint8Array;
};

/** A child process, everything that it has printed so far, and a way to wait for more. */
export type Child = {
  pid: number;
  stdout: () => string;
  stderr: () => string;
  /** Resolves once the process has ended and all its output has arrived. */
  exited: Promise<Exit>;
  /** Calls `look` now and after each piece of output, until it returns something. */
  waitFor: <T>(look: () => T | undefined, timeoutMs: number) => Promise<T>;
  /** Sends a signal, SIGKILL by default, and waits for the end of the process. */
  kill: (signal?: NodeJS.Signals) => Promise<Exit>;
};

/** Starts a child process whose input ends after `input`. Rejects if it cannot be started. */
export const startChild = async (
  command: string,
  args: readonly string[],
  { env, cwd, input = '' }: ChildOptions = {},
): Promise<Child> => {
  const child = spawn(command, args, { env, cwd, stdio: 'pipe' });
  const news = new EventEmitter().setMaxListeners(0);
  const collect = (stream: Readable): (() => string) => {
    let text = '';
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      news.emit('news');
    });
    return () => text;
  };
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = true;
      news.emit('news');
      resolve({ code, signal });
    });
  });
  child.stdin.on('error', () => {}); // It may end without having read its input.
  child.stdin.end(input);
  await once(child, 'spawn');

  const failure = (what: string, cause?: unknown) =>
    new Error(`${command} ${args.join(' ')}: ${what}\n${stdout()}${stderr()}`, { cause });

  return {
    pid: child.pid ?? 0,
    stdout,
    stderr,
    exited,
    waitFor: async (look, timeoutMs) => {
      const deadline = AbortSignal.timeout(timeoutMs);
      for (;;) {
        const found = look();
        if (found !== undefined) return found;
        if (ended) throw failure('ended before what was waited for');
        await once(news, 'news', { signal: deadline }).catch((error: unknown) => {
          throw failure(`nothing like it within ${timeoutMs} ms`, error);
        });
      }
    },
    kill: (signal = 'SIGKILL') => {
      child.kill(signal);
      return exited;
    },
  };
};
