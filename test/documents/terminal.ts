import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/folder.ts';
import { findPort } from '../support/ports.ts';
import { pathInProject } from './document.ts';

/** What a reader of a document has open: a shell in a folder, and services in other terminals. */
export type Terminal = {
  /** Types a command. Returns its output and its exit code. */
  type: (command: string) => Promise<{ printed: string; code: number }>;
  /** Types a command without an end of its own, and presses Ctrl-C once it has printed enough. */
  follow: (command: string, isEnough: (printed: string) => boolean) => Promise<string>;
  /** Starts a service in a terminal of its own and waits until it is ready. */
  serve: (command: string) => Promise<void>;
  close: () => Promise<void>;
};

/** The ports that the documents name. */
const namedPorts = [8880, 8881, 8882, 50051, 9000, 9001, 9002] as const;

const stepTimeoutMs = 30_000;

/**
 * Opens a terminal in an empty folder with a copy of what documents name of a checkout. The ports
 * of the documents are replaced with free ones in commands, and back in their output, because tests
 * run in parallel and next to services of the developer.
 */
export const openTerminal = async (): Promise<Terminal> => {
  const { path: folder, remove } = await temporaryFolder();
  const ports = await freePorts();
  layOut(folder);
  const env = {
    PATH: [join(folder, 'bin'), ...ownPath()].join(':'),
    HOME: folder,
    MLOG_URL: `http://localhost:${ports.get(8880)}`,
    MLOG_PORT: String(ports.get(8880)),
    MLOG_LOGGING_PORT: String(ports.get(8881)),
    MLOG_MESSAGES_PORT: String(ports.get(8882)),
  };
  const cwd = join(folder, 'mlog');
  const exchange = (text: string, from: 0 | 1): string => {
    let changed = text;
    for (const pair of ports) {
      changed = changed.replaceAll(new RegExp(`\\b${pair[from]}\\b`, 'g'), String(pair[1 - from]));
    }
    return changed;
  };
  const start = (command: string, grpcPort = 0) => {
    const ownEnv = { ...env, MLOG_GRPC_PORT: String(grpcPort) };
    // In a process group of its own, so that Ctrl-C reaches everything that the command has
    // started.
    const options = { cwd, env: ownEnv, detached: true };
    return new Process(spawn('bash', ['-c', exchange(command, 0)], options));
  };

  const shell = new Process(spawn('bash', [], { cwd, env, detached: true }));
  const services = new Set<Process>();
  writeFileSync(join(folder, 'pids'), '');

  return {
    async type(command) {
      const mark = `done-${Math.random()}`;
      const from = shell.printed.length;
      const typed = `${exchange(command, 0)}\nprintf '\\n${mark} %d\\n' "$?"\n`;
      shell.write(`{ ${typed}} 2>&1 </dev/null\n`);
      const pattern = new RegExp(`\\n${mark} (\\d+)\\n`);
      const found = await shell.waitFor(() => pattern.exec(shell.printed.slice(from)) ?? undefined);
      const printed = exchange(shell.printed.slice(from, from + found.index), 1);
      return { printed: printed.replaceAll(folder, '/home/you'), code: Number(found[1]) };
    },
    async follow(command, isEnough) {
      const following = start(command);
      await following.waitFor(() => isEnough(exchange(following.printed, 1)) || undefined);
      await following.end('SIGINT');
      return exchange(following.printed, 1);
    },
    async serve(command) {
      // A second service finds the default gRPC port taken and runs without gRPC.
      const grpcPort = services.size === 0 ? ports.get(50051) : 0;
      const service = start(`echo $$ >> '${join(folder, 'pids')}'; exec ${command}`, grpcPort);
      services.add(service);
      await service.waitFor(() => /"msg":"Ready"/.test(service.printed) || undefined);
    },
    async close() {
      await Promise.all([...services].map((service) => service.end('SIGKILL')));
      await shell.end('SIGKILL');
      await remove();
    },
  };
};

/** Returns the PATH without the tools that npm adds when it runs the tests. */
const ownPath = (): string[] =>
  (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));

/** Creates a checkout as far as documents name it, and commands that affect only this terminal. */
const layOut = (folder: string): void => {
  for (const name of ['bin', 'mlog']) mkdirSync(join(folder, name));
  for (const name of ['README.md', 'proto', 'node_modules', 'bin', 'dist']) {
    symlinkSync(pathInProject(name), join(folder, 'mlog', name));
  }
  const program = `'${process.execPath}' '${pathInProject('bin/mlog.js')}'`;
  const commands = {
    // npx takes half a second to decide what to run.
    npx: `shift; exec ${program} "$@"`,
    mlog: `exec ${program} "$@"`,
    npm: `[ "$*" = start ] && exec ${program} serve; [ "$*" = ci ] || exec false`,
    node: `exec '${process.execPath}' "$@"`,
    // Nobody watches a progress meter here.
    curl: `PATH="\${PATH#*:}" exec curl -sS "$@"`,
    // Every service that this document has started, and no other.
    pkill: `[ "$1" = -9 ] && signal=-9; pids=$(cat '${join(folder, 'pids')}'); kill $signal $pids; : > '${join(folder, 'pids')}'; while kill -0 $pids 2>/dev/null; do sleep 0.02; done`,
  };
  for (const [name, text] of Object.entries(commands)) {
    const path = join(folder, 'bin', name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }
};

const freePorts = async (): Promise<ReadonlyMap<number, number>> => {
  const found = new Map<number, number>();
  for (const named of namedPorts) {
    let port = await findPort();
    while ([...found.values()].includes(port)) port = await findPort();
    found.set(named, port);
  }
  return found;
};

/** A process, with everything that it has printed to stdout and stderr. */
class Process {
  printed = '';
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #news = new EventEmitter();
  #isOver = false;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        this.printed += piece;
        this.#news.emit('news');
      });
    }
    child.once('close', () => {
      this.#isOver = true;
      this.#news.emit('news');
    });
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  async waitFor<T>(look: () => T | undefined): Promise<T> {
    const signal = AbortSignal.timeout(stepTimeoutMs);
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`It ended. It had printed:\n${this.printed}`);
      await once(this.#news, 'news', { signal }).catch(() => {
        throw new Error(`Nothing came for too long. It had printed:\n${this.printed}`);
      });
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const { pid } = this.#child;
    if (this.#isOver || pid === undefined) return;
    process.kill(-pid, signal);
    await this.waitFor(() => this.#isOver || undefined);
  }
}
