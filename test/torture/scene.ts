import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child, type ChildOptions, type Exit, startChild } from '../support/child.ts';
import { temporaryFolder } from '../support/folder.ts';
import { findPort } from '../support/ports.ts';
import type { Build } from './build.ts';

const readyTimeoutMs = 30_000;
const runTimeoutMs = 30_000;

/** What `mlog serve` runs: one role, or all three in one process. */
export type Role = 'facade' | 'logging' | 'messages' | 'all';

/** How a server is started. */
export type ServeOptions = {
  args?: readonly string[];
  /** The path of the store, for roles that have one. */
  store?: string;
  /** A command that runs the program, such as strace. */
  through?: readonly string[];
  env?: NodeJS.ProcessEnv;
};

/** The address of each service of a server. Only its own roles answer. */
export type Urls = { facade: string; logging: string; grpc: string; messages: string };

/** A server that was started, ready or not. */
export type Server = Urls & {
  child: Child;
  pid: number;
  /** Resolves when the server is ready. Rejects if it ends before. */
  ready: Promise<void>;
  exited: Promise<Exit>;
  /** Sends a signal, SIGKILL by default, and waits for the end of the process. */
  kill: (signal?: NodeJS.Signals) => Promise<Exit>;
  /** Starts the same server on the same ports, without waiting until it is ready. */
  again: (options?: Partial<ServeOptions>) => Promise<Server>;
};

/** The result of a finished command. */
export type Run = Exit & { stdout: string; stderr: string };

/** An empty folder with running programs. Closing it ends and removes everything. */
export type Scene = {
  folder: string;
  /** The path of the store of the scene's servers, by default. */
  store: string;
  /** Starts a server without waiting until it is ready. */
  start: (role: Role, options?: ServeOptions) => Promise<Server>;
  /** Starts a server and waits until it is ready. */
  serve: (role: Role, options?: ServeOptions) => Promise<Server>;
  /** Runs a command of mlog to its end. */
  run: (
    args: readonly string[],
    options?: Pick<ChildOptions, 'input'> & { timeoutMs?: number },
  ) => Promise<Run>;
  /** Registers an action for the end. The last one registered runs first. */
  defer: (action: () => unknown) => void;
  close: () => Promise<void>;
};

const openScenes = new Set<Scene>();
let isBrokenOff = false;

/** Closes every scene that is open. */
export const closeAllScenes = async (): Promise<void> => {
  for (const scene of openScenes) await scene.close();
};

/** Closes every scene, and allows no new ones. */
export const breakOffScenes = async (): Promise<void> => {
  isBrokenOff = true;
  await closeAllScenes();
};

/** Opens a scene for the programs of one build. */
export const openScene = async ({ program }: Build): Promise<Scene> => {
  if (isBrokenOff) throw new Error('The run was broken off');
  const { path: folder, remove } = await temporaryFolder();
  const store = join(folder, 'mlog.db');
  const home = join(folder, 'home');
  await mkdir(home);
  const env = { PATH: process.env['PATH'], HOME: home };
  const running = new Set<Child>();
  const deferred: (() => unknown)[] = [];

  const launch = async (
    [command = '', ...args]: readonly string[],
    options: ChildOptions,
  ): Promise<Child> => {
    const all = { ...options, cwd: folder, env: { ...env, ...options.env } };
    const child = await startChild(command, args, all);
    running.add(child);
    void child.exited.then(() => running.delete(child));
    return child;
  };

  const startOn = async (ports: Ports, role: Role, options: ServeOptions): Promise<Server> => {
    const { args = [], through = [], env: more = {} } = options;
    const own = ownFlags(role, ports, options.store ?? store);
    const serving = [process.execPath, program, 'serve', ...own, ...args];
    const child = await launch([...through, ...serving], { env: more });
    const isReady = () => child.stderr().includes('"msg":"Ready"') || undefined;
    const ready = child.waitFor(isReady, readyTimeoutMs).then(() => {});
    ready.catch(() => {}); // Not everybody waits for it.
    return {
      facade: `http://127.0.0.1:${ports.facade}`,
      logging: `http://127.0.0.1:${ports.logging}`,
      grpc: `grpc://127.0.0.1:${ports.grpc}`,
      messages: `http://127.0.0.1:${ports.messages}`,
      child,
      pid: child.pid,
      ready,
      exited: child.exited,
      kill: child.kill,
      again: (changed = {}) => startOn(ports, role, { ...options, ...changed }),
    };
  };

  const scene: Scene = {
    folder,
    store,
    start: async (role, options = {}) => await startOn(await findPorts(), role, options),
    serve: async (role, options) => {
      const server = await scene.start(role, options);
      await server.ready;
      return server;
    },
    run: async (args, { timeoutMs = runTimeoutMs, ...options } = {}) => {
      const child = await launch([process.execPath, program, ...args], options);
      const deadline = setTimeout(() => void child.kill(), timeoutMs);
      const exit = await child.exited;
      clearTimeout(deadline);
      return { ...exit, stdout: child.stdout(), stderr: child.stderr() };
    },
    defer: (action) => void deferred.push(action),
    close: async () => {
      openScenes.delete(scene);
      await Promise.all([...running].map((child) => child.kill()));
      for (const action of deferred.splice(0).toReversed()) await action();
      await remove();
    },
  };
  openScenes.add(scene);
  return scene;
};

/** Runs an action in a scene and closes the scene in any case. */
export const inScene = async <T>(
  build: Build,
  action: (scene: Scene) => Promise<T>,
): Promise<T> => {
  const scene = await openScene(build);
  try {
    return await action(scene);
  } finally {
    await scene.close();
  }
};

type Ports = Record<keyof Urls, number>;

const ownFlags = (role: Role, ports: Ports, store: string): string[] => {
  const { facade, logging, grpc, messages } = ports;
  const keeping = ['--grpc-port', String(grpc), '--store', `file:${store}`];
  switch (role) {
    case 'facade':
      return [role, '--port', String(facade)];
    case 'logging':
      return [role, '--port', String(logging), ...keeping];
    case 'messages':
      return [role, '--port', String(messages)];
    case 'all': {
      const others = ['--logging-port', String(logging), '--messages-port', String(messages)];
      return ['--port', String(facade), ...others, ...keeping];
    }
  }
};

const findPorts = async (): Promise<Ports> => ({
  facade: await findPort(),
  logging: await findPort(),
  grpc: await findPort(),
  messages: await findPort(),
});
