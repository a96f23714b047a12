import {
  addScheme,
  httpSchemes,
  mayHoldUser,
  parseAddress,
  parseAddresses,
  serviceSchemes,
  storeSchemes,
  type HttpAddress,
  type ServiceAddress,
  type StoreAddress,
} from './address.ts';
import { heartbeatMaxMs } from './net/reach.ts';
import { parseDuration, parseWholeNumber } from './quantity.ts';

/** The services that `mlog serve` can run. */
export const roles = ['facade', 'logging', 'messages'] as const;

/** One of the three services. */
export type Role = (typeof roles)[number];

/** Who reads a setting: a role, all roles in one process, or a command. */
export type Reader = Role | 'all' | 'send' | 'client' | 'verify';

/** One setting of the table in `settings.ts`. Its value may be undefined if it has no default. */
export interface Setting<Value, By extends Reader = Reader> {
  /** The value if none is given; a function if it depends on the reader or the machine. */
  readonly default: Value | ((reader: Reader, env: NodeJS.ProcessEnv) => Value);
  /** The default as the help shows it, if that differs from the value. */
  readonly defaultText?: string;
  /** Parses the text of a flag or a variable; returns undefined for a wrong one. */
  readonly parse: (text: string) => Exclude<Value, undefined> | undefined;
  /** Says whether a wrong text may contain a password, which no error then shows. */
  readonly secret?: (text: string) => boolean;
  /** Says whether a variable with this text was set by something else and is not meant for mlog. */
  readonly foreign?: (text: string) => boolean;
  /** Completes the sentence "It must be …". */
  readonly expected: string;
  /** The value as the help shows it, such as `<n>`. */
  readonly placeholder: string;
  readonly help: string;
  readonly readers: readonly By[];
  /** It has no flag, because every user of the machine can see those. */
  readonly isVariableOnly?: true;
}

/** Any text but the empty one. */
export function text<By extends Reader>(
  byDefault: string,
  placeholder: string,
  help: string,
  readers: readonly By[],
): Setting<string, By> {
  const parse = (given: string) => given || undefined;
  return { default: byDefault, parse, expected: 'some text', placeholder, help, readers };
}

/**
 * The HTTP address of a service, without user and password. It may end with `endpoint`, the path at
 * which the service answers.
 */
export function address<By extends Reader>(
  byDefault: string,
  help: string,
  readers: readonly By[],
  endpoint?: string,
): Setting<HttpAddress, By> {
  const parse = (given: string) => parseAddress(given, httpSchemes, endpoint);
  return {
    default: parse(byDefault)!,
    defaultText: byDefault,
    parse,
    secret: mayHoldUser,
    expected: `an address such as ${byDefault}`,
    placeholder: '<address>',
    help,
    readers,
  };
}

/** The HTTP address of a facade, also as `HOST:PORT`: HTTP is its only wire. */
export function facadeAddress<By extends Reader>(
  byDefault: string,
  help: string,
  readers: readonly By[],
): Setting<HttpAddress, By> {
  const { parse, ...rest } = address(byDefault, help, readers);
  return { ...rest, parse: (given) => parse(addScheme(given)) };
}

/** The address of one logging service over either wire, without user and password. */
export function serviceAddress<By extends Reader>(
  byDefault: string,
  help: string,
  readers: readonly By[],
): Setting<ServiceAddress, By> {
  return {
    ...address(byDefault, help, readers),
    parse(given) {
      const [only, ...more] = parseAddresses(given, serviceSchemes, '/logging') ?? [];
      return more.length > 0 ? undefined : only;
    },
    expected: `one address such as ${byDefault} or grpc://localhost:50051`,
  };
}

/** The address of a store. */
export function storeAddress<By extends Reader>(
  byDefault: Setting<StoreAddress>['default'],
  help: string,
  readers: readonly By[],
): Setting<StoreAddress, By> {
  return {
    default: byDefault,
    defaultText: 'file:~/.local/share/mlog/mlog.db, for a replica memory:',
    parse: (given) => parseAddress(given, storeSchemes),
    secret: (given) => /\/\/.*@/s.test(given),
    expected: 'memory: or file:PATH, such as file:./mlog.db',
    placeholder: '<address>',
    help,
    readers,
  };
}

/** A whole number of things or of milliseconds. */
export function count<By extends Reader>(
  byDefault: number,
  least: number,
  help: string,
  readers: readonly By[],
): Setting<number, By> {
  return wholeNumber(byDefault, least, 2 ** 31 - 1, help, readers);
}

/** How often a stream without news sends a sign of life. */
export function heartbeat<By extends Reader>(
  byDefault: number,
  help: string,
  readers: readonly By[],
): Setting<number, By> {
  return wholeNumber(byDefault, 1, heartbeatMaxMs, help, readers);
}

/** A time such as 90s, 12h or 7d, in milliseconds; 0 is none. */
export function duration<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<number, By> {
  return {
    default: 0,
    parse: parseDuration,
    expected: 'a whole number with a unit, ms, s, m, h or d, such as 7d',
    placeholder: '<duration>',
    help,
    readers,
  };
}

/** A port to listen on; 0 takes a free one. */
export function port<By extends Reader, Default extends number | undefined>(
  byDefault: Default,
  help: string,
  readers: readonly By[],
): Setting<number | Default, By> {
  return { ...wholeNumber(byDefault, 0, 65_535, help, readers), foreign: isServiceVariable };
}

/**
 * For a service named mlog, Kubernetes and Docker links set `MLOG_PORT=tcp://10.0.0.7:8880` in every
 * container beside it (https://kubernetes.io/docs/concepts/services-networking/service/).
 */
function isServiceVariable(given: string): boolean {
  return /^(?:tcp|udp|sctp):\/\/\S+:\d+$/i.test(given);
}

function wholeNumber<By extends Reader, Default extends number | undefined>(
  byDefault: Default,
  least: number,
  most: number,
  help: string,
  readers: readonly By[],
): Setting<number | Default, By> {
  return {
    default: byDefault,
    parse: (given) => parseWholeNumber(given, least, most),
    expected: `a whole number from ${least} to ${most}`,
    placeholder: '<n>',
    help,
    readers,
  };
}

/** One of several words. */
export function oneOf<Value extends string, By extends Reader>(
  values: readonly Value[],
  byDefault: Value,
  help: string,
  readers: readonly By[],
): Setting<Value, By> {
  return {
    default: byDefault,
    parse: (given) => values.find((value) => value === given),
    expected: `one of ${values.join(', ')}`,
    placeholder: '<word>',
    help,
    readers,
  };
}
