import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import { toVisible } from './visible.ts';

export type { Logger };

/** What the diagnostics show, and how. */
export interface LoggerOptions {
  readonly level: string;
  /** Short lines for a person instead of JSON; by default where stderr is a terminal. */
  readonly readable?: boolean;
}

const stderrFd = 2;

/** Opens the diagnostics of a process: pino on stderr, JSON lines or short lines for a person. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, readable = isatty(stderrFd) } = options;
  const destination = readable
    ? { write: (line: string) => void writeSync(stderrFd, toReadable(line)) }
    : pino.destination({ fd: stderrFd, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

function toReadable(line: string): string {
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
