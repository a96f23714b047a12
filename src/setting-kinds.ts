import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addScheme, isGrpcAddress, mayHoldUser, parseHttpAddress } from './address.ts';
import { MlogError } from './errors.ts';

/** The services that `mlog serve` can be told to run. */
export const roles = ['facade', 'logging', 'messages'] as const;

/** One of the three services. */
export type Role = (typeof roles)[number];

/** Who reads a setting: a role, all of them in one process, or a command. */
export type Reader = Role | 'all' | 'send' | 'client' | 'verify';

/** All there is to know of a setting. */
export interface Setting<T> {
  readonly default: T | undefined;
  /** The default in words, where it depends on the role or the machine. */
  readonly defaultText?: string;
  /** Reads the text of a flag or a variable; gives undefined for a wrong one. */
  readonly parse: (text: string) => T | undefined;
  /** Says whether a wrong text may have a password in it, so that no error shows it. */
  readonly secret?: (text: string) => boolean;
  /** Says whether a variable with this text was set by others and is not meant for mlog. */
  readonly foreign?: (text: string) => boolean;
  /** What a right value is, to go on from "It has to be …". */
  readonly expected: string;
  /** The value in the help, such as `<n>`. */
  readonly placeholder: string;
  readonly help: string;
  readonly readers: readonly Reader[];
}

/** Any text but the empty one. */
export function text(
  byDefault: string | undefined,
  placeholder: string,
  help: string,
  readers: readonly Reader[],
): Setting<string> {
  const parse = (given: string) => given || undefined;
  return { default: byDefault, parse, expected: 'some text', placeholder, help, readers };
}

/**
 * The http(s) address of a service, without a user and password. `endpoint` is the path at which it
 * answers, which the address may end with.
 */
export function address(
  byDefault: string,
  help: string,
  readers: readonly Reader[],
  endpoint?: string,
): Setting<string> {
  return {
    default: byDefault,
    parse: (given) => parseHttpAddress(given, endpoint),
    secret: mayHoldUser,
    expected: `an address such as ${byDefault}`,
    placeholder: '<address>',
    help,
    readers,
  };
}

/** The http(s) address of a facade, also as `HOST:PORT`: no other wire leads to one. */
export function facadeAddress(
  byDefault: string,
  help: string,
  readers: readonly Reader[],
): Setting<string> {
  const { parse, ...rest } = address(byDefault, help, readers);
  return { ...rest, parse: (given) => parse(addScheme(given)) };
}

/** The address of a logging service over either wire, without a user and password. */
export function serviceAddress(
  byDefault: string,
  help: string,
  readers: readonly Reader[],
): Setting<string> {
  const { parse, ...rest } = address(byDefault, help, readers, '/logging');
  return {
    ...rest,
    parse: (given) => (isGrpcAddress(given) ? given : parse(given)),
    expected: `an address such as ${byDefault} or grpc://localhost:50051`,
  };
}

/** The address of a store. */
export function storeAddress(help: string, readers: readonly Reader[]): Setting<string> {
  return {
    default: undefined,
    defaultText: 'file:~/.local/share/mlog/mlog.db, for a replica memory:',
    parse: (given) => (given === 'memory:' || parseStorePath(given) ? given : undefined),
    secret: (given) => /\/\/.*@/s.test(given),
    expected: 'memory: or file:PATH, such as file:./mlog.db',
    placeholder: '<address>',
    help,
    readers,
  };
}

/** The path of a store at an address such as `file:./mlog.db`; undefined for another address. */
export function parseStorePath(given: string): string | undefined {
  const path = /^file:([^\0]+)$/.exec(given)?.[1];
  if (path === undefined) return undefined;
  if (path.startsWith('~/')) return join(homeFolder(), path.slice(2));
  if (!path.startsWith('//')) return resolve(path);
  try {
    return fileURLToPath(given);
  } catch {
    // A host, or a slash in disguise: no path of this machine.
    return undefined;
  }
}

/**
 * The home folder of this user. Throws `usage` where there is none: HOME is not set or not absolute,
 * and the user has no entry in the user database, as in many containers.
 */
export function homeFolder(): string {
  const found = [homedir, () => userInfo().homedir].map(pathOrNothing).find(isAbsolute);
  if (found !== undefined) return found;
  throw new MlogError('usage', 'This user has no home folder in which to keep messages.', {
    hint: 'Set HOME or XDG_DATA_HOME, or name a file with --store, such as file:/data/mlog.db.',
  });
}

function pathOrNothing(find: () => string): string {
  try {
    return find();
  } catch {
    return '';
  }
}

/** A whole number of things or of milliseconds. */
export function count(
  byDefault: number,
  least: number,
  help: string,
  readers: readonly Reader[],
): Setting<number> {
  return wholeNumber(byDefault, least, 2 ** 31 - 1, help, readers);
}

/** The longest heartbeat of a stream that can be set: its reader knows when to give up. */
export const heartbeatMaxMs = 15_000;

/** How often a stream that has nothing to tell says so. */
export function heartbeat(
  byDefault: number,
  help: string,
  readers: readonly Reader[],
): Setting<number> {
  return wholeNumber(byDefault, 1, heartbeatMaxMs, help, readers);
}

const durationUnitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Writes milliseconds in the largest unit of which there are two or more, rounded down. */
export function toDuration(ms: number): string {
  const units = Object.entries(durationUnitsMs).toReversed();
  const [unit, size] = units.find(([, unitMs]) => ms >= 2 * unitMs || ms === unitMs) ?? ['ms', 1];
  return `${Math.floor(ms / size)}${unit}`;
}

/** A time such as 90s, 12h or 7d, read as milliseconds; 0 is none. */
export function duration(help: string, readers: readonly Reader[]): Setting<number> {
  return {
    default: 0,
    parse(given) {
      const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(given) ?? [];
      if (given === '0') return 0;
      if (digits === undefined) return undefined;
      return Number(digits) * durationUnitsMs[unit as keyof typeof durationUnitsMs];
    },
    expected: 'a whole number with a unit, ms, s, m, h or d, such as 7d',
    placeholder: '<duration>',
    help,
    readers,
  };
}

/** A port to listen on; 0 takes a free one. */
export function port(
  byDefault: number | undefined,
  help: string,
  readers: readonly Reader[],
): Setting<number> {
  return { ...wholeNumber(byDefault, 0, 65_535, help, readers), foreign: isServiceVariable };
}

/**
 * For a service named mlog, Kubernetes and Docker links set `MLOG_PORT=tcp://10.0.0.7:8880` in every
 * container beside it (https://kubernetes.io/docs/concepts/services-networking/service/).
 */
function isServiceVariable(given: string): boolean {
  return /^(?:tcp|udp|sctp):\/\/\S+:\d+$/i.test(given);
}

function wholeNumber(
  byDefault: number | undefined,
  least: number,
  most: number,
  help: string,
  readers: readonly Reader[],
): Setting<number> {
  return {
    default: byDefault,
    parse: (given) => parseWholeNumber(given, least, most),
    expected: `a whole number from ${least} to ${most}`,
    placeholder: '<n>',
    help,
    readers,
  };
}

/** Reads a whole number in decimal digits; gives undefined for anything else. */
export function parseWholeNumber(given: string, least: number, most: number): number | undefined {
  if (!/^\d{1,16}$/.test(given)) return undefined;
  const value = Number(given);
  return value >= least && value <= most ? value : undefined;
}

/** One word of a few. */
export function oneOf<Value extends string>(
  values: readonly Value[],
  byDefault: Value,
  help: string,
  readers: readonly Reader[],
): Setting<Value> {
  return {
    default: byDefault,
    parse: (given) => values.find((value) => value === given),
    expected: `one of ${values.join(', ')}`,
    placeholder: '<word>',
    help,
    readers,
  };
}
