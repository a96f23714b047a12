import { join } from 'node:path';
import { temporaryFolder } from './folder.ts';
import { type Program, type Run, runProgram, startProgram, stopAllPrograms } from './program.ts';

/** What `mlog serve` runs: one role, or all three in one process. */
export type Served = 'facade' | 'logging' | 'messages' | 'all';

/** One service of a running program. */
export type Service = Program & { url: string };

/** The three services, each a program of its own or all in one. */
export type Services = Record<'facade' | 'logging' | 'messages', Service>;

/** The options of running a command. */
export type CommandOptions = { env?: NodeJS.ProcessEnv; input?: string | Uint8Array };

/** An empty home with running programs. Closing it ends and removes everything. */
export type Sandbox = {
  folder: string;
  /** HOME and XDG_DATA_HOME inside the folder. */
  env: NodeJS.ProcessEnv;
  /** The address of a store in the folder. */
  store: string;
  /** Starts one service on a free port, unless the arguments name one. */
  serve: (role: Exclude<Served, 'all'>, ...args: string[]) => Promise<Service>;
  /** Starts logging, messages and a facade over them; the arguments go to the facade. */
  serveApart: (...facadeArgs: string[]) => Promise<Services>;
  /** Starts all three services in one process. */
  serveAll: (...args: string[]) => Promise<Services>;
  /** Runs a command to its end. Rejects if it shows a stack trace. */
  run: (args: readonly string[], options?: CommandOptions) => Promise<Run>;
  /** Registers an action for the end. The last one registered runs first. */
  defer: (action: () => unknown) => void;
  close: () => Promise<void>;
};

/**
 * Opens a sandbox, with additions to the environment of its programs. `beforeEach` returns its
 * `close` to vitest.
 */
export const openSandbox = async (more: NodeJS.ProcessEnv = {}): Promise<Sandbox> => {
  const { path, remove } = await temporaryFolder();
  const env = { HOME: path, XDG_DATA_HOME: join(path, 'data'), ...more };
  const store = `file:${join(path, 'mlog.db')}`;
  const deferred: (() => unknown)[] = [];

  const start = (args: readonly string[]): Promise<Program> =>
    startProgram(['serve', ...args], { env, cwd: path });

  const serve: Sandbox['serve'] = async (role, ...args) => {
    const own = role === 'logging' ? ['--store', store] : [];
    return toService(await start([role, '--port', '0', ...own, ...args]), role);
  };

  return {
    folder: path,
    env,
    store,
    serve,
    serveApart: async (...facadeArgs) => {
      const [logging, messages] = await Promise.all([serve('logging'), serve('messages')]);
      const below = ['--logging', logging.url, '--messages', messages.url];
      return { facade: await serve('facade', ...below, ...facadeArgs), logging, messages };
    },
    serveAll: async (...args) => {
      const anyPort = ['--port', '0', '--logging-port', '0', '--messages-port', '0'];
      const program = await start([...anyPort, '--store', store, ...args]);
      return {
        facade: toService(program, 'facade'),
        logging: toService(program, 'logging'),
        messages: toService(program, 'messages'),
      };
    },
    run: async (args, { env: own, ...options } = {}) => {
      const run = await runProgram(args, { ...options, env: { ...env, ...own }, cwd: path });
      if (!/\n\s+at /.test(run.stderr)) return run;
      throw new Error(`mlog ${args.join(' ')} printed a stack trace:\n${run.stderr}`);
    },
    defer: (action) => void deferred.push(action),
    close: async () => {
      for (const action of deferred.toReversed()) await action();
      await stopAllPrograms();
      await remove();
    },
  };
};

/** Returns the port of a URL, for a service that must return at the same address. */
export const portOf = (url: string): string => new URL(url).port;

const toService = (program: Program, role: string): Service => ({
  ...program,
  url: String(program.ready[role]),
});
