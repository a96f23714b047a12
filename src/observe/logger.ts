import { write, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import pino, { type Logger, type LoggerOptions as PinoOptions } from 'pino';
import { createBurst } from './burst.ts';
import { toVisible } from './visible.ts';

export type { Logger };

/** What the diagnostics show, and how. */
export interface LoggerOptions {
  readonly level: string;
  /** Short lines for people instead of JSON. Defaults to whether stderr is a terminal. */
  readonly readable?: boolean;
  /** Added to each line, if several processes write to one stderr. */
  readonly pid?: number | undefined;
}

const stderrFd = 2;

const noBytes = Buffer.alloc(0);

/** How much unwritten output is kept. Later lines are dropped. */
const waitingMaxBytes = 1024 * 1024;

const busyRetryMs = 100;

/**
 * After a line that is written at once, further lines are gathered for this long, because under
 * load each batch has one. Measured with 64 connections: 1.1 times the POST/s of one write per
 * line.
 */
const gatherMs = 20;

/**
 * Opens the diagnostics of a process: pino on stderr, as lines of JSON or short lines for people.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { level, readable = isatty(stderrFd), pid } = options;
  const lines = new LineWriter();
  return pino(
    {
      level,
      base: pid === undefined ? null : { pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { logMethod: boundWarnings() },
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => lines.write(readable ? toReadable(line) : line) },
  );
}

type LogMethod = NonNullable<NonNullable<PinoOptions['hooks']>['logMethod']>;

/** The number of the level `warn` in pino. */
const warnLevel = 40;

/**
 * Limits bursts of warnings. Warnings are of one kind if they share a code and the text up to a
 * colon.
 */
function boundWarnings(): LogMethod {
  const burst = createBurst();
  return function log(args, method, level) {
    const given: readonly unknown[] = args;
    const text = given.at(-1);
    if (level !== warnLevel || typeof text !== 'string') return method.apply(this, args);
    const facts = (given.length > 1 ? given[0] : {}) as Readonly<Record<string, unknown>>;
    const kind = `${text.split(':', 1)[0]} ${String(facts['code'] ?? facts['status'])}`;
    burst(kind, (more) => method.call(this, { ...facts, ...more }, text));
  };
}

/**
 * Writes lines to stderr without blocking: a pipe that nobody reads, or a full disk, must neither
 * delay the service nor end it. What cannot be written is lost. pino's own destination never
 * finishes its flush at exit if the disk is full.
 */
class LineWriter {
  #waiting = '';
  #waitingBytes = 0;
  #isWriting = false;
  #isBusy = false;
  /** pino ends its own destinations at the exit of the process. This one only triggers `#flush`. */
  readonly #atExit = pino.destination({ fd: stderrFd, sync: false });

  constructor() {
    this.#atExit.flushSync = () => this.#flush();
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#waitingBytes + bytes > waitingMaxBytes) return;
    this.#waiting += line;
    this.#waitingBytes += bytes;
    if (!this.#isWriting) this.#writeNext(noBytes);
  }

  #writeNext(rest: Buffer): void {
    const bytes = rest.byteLength > 0 ? rest : this.#take();
    this.#isWriting = bytes.byteLength > 0;
    if (!this.#isWriting) return;
    write(stderrFd, bytes, (error, written) => {
      this.#isBusy = error?.code === 'EAGAIN';
      const left = this.#isBusy ? bytes : error ? noBytes : bytes.subarray(written);
      const pauseMs = this.#isBusy ? busyRetryMs : left.byteLength > 0 ? 0 : gatherMs;
      setTimeout(() => this.#writeNext(left), pauseMs).unref();
    });
  }

  #take(): Buffer {
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = '';
    this.#waitingBytes = 0;
    return bytes;
  }

  /** Writes the last lines after the event loop has stopped. */
  #flush(): void {
    if (this.#isBusy) return;
    try {
      for (let rest = this.#take(); rest.byteLength > 0;) {
        rest = rest.subarray(writeSync(stderrFd, rest));
      }
    } catch {
      // There is no way left to report this.
    }
  }
}

/** Formats a line of pino as a short line for people, safe for a terminal. */
export function toReadable(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const facts = Object.entries(rest).map(([name, value]) => `${name}=${toShort(value)}`);
  if (err) facts.push((err as { message: string }).message);
  const clock = new Date(String(time)).toTimeString().slice(0, 8);
  const mark = level === 'info' ? '' : `${String(level).toUpperCase()} `;
  return `${toVisible([clock, mark + String(msg), ...facts].join('  '))}\n`;
}

function toShort(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
