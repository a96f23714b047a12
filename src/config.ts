import { homedir } from 'node:os';
import { join } from 'node:path';
import { MlogError } from './errors.ts';

/** Who reads a setting: a role that is served, or a client command. */
export type Reader = 'facade' | 'logging' | 'messages' | 'all' | 'client' | 'verify';

interface Setting<T> {
  readonly default: T | undefined;
  /** The default in words, where it depends on the role or the machine. */
  readonly defaultText?: string;
  /** Reads the text of a flag or a variable; gives undefined for a wrong one. */
  readonly parse: (text: string) => T | undefined;
  /** What a right value is, to go on from "It has to be …". */
  readonly expected: string;
  /** The value in the help, such as `<n>`. */
  readonly placeholder: string;
  readonly help: string;
  readonly readers: readonly Reader[];
}

const servers = ['facade', 'logging', 'messages', 'all'] as const;
const keepers = ['logging', 'all'] as const;
const everyone = [...servers, 'client'] as const;

/**
 * Every setting of mlog, once. By rule `batchMaxCount` here is the flag `--batch-max-count`, the
 * variable `MLOG_BATCH_MAX_COUNT` and the option `batchMaxCount`; the unit stands in the name.
 */
export const settings = {
  url: address('http://localhost:8880', 'Where the facade is', ['client']),
  host: text('127.0.0.1', '<host>', 'Address to listen on', servers),
  port: {
    ...port(undefined, 'Port to listen on', servers),
    defaultText: '8880 facade, 8881 logging, 8882 messages',
  },
  loggingPort: port(8881, 'Port of the logging service, beside a facade on --port', ['all']),
  messagesPort: port(8882, 'Port of the messages service, beside a facade on --port', ['all']),
  logging: address('http://localhost:8881', 'Where the logging service is', ['facade']),
  messages: address('http://localhost:8882', 'Where the messages service is', ['facade']),
  store: storeAddress('Where messages are kept: memory: or file:PATH', [...keepers, 'verify']),
  workers: count(1, 1, 'Processes that share the port of the facade', ['facade']),
  attemptsMax: count(3, 1, 'Attempts to deliver a message, in all', ['facade', 'client']),
  retryDelayMs: count(2_000, 0, 'Pause between two attempts', ['facade', 'client']),
  attemptTimeoutMs: count(5_000, 1, 'How long one attempt may take', ['facade']),
  timeoutMs: count(60_000, 1, 'How long the facade may take to answer', ['client']),
  txtMaxBytes: count(1_048_576, 1, 'Largest text of a message', ['facade', ...keepers]),
  appendMaxCount: count(10_000, 1, 'Most messages in one NDJSON request', keepers),
  appendMaxBytes: count(8_388_608, 1, 'Largest NDJSON request', keepers),
  batchMaxCount: count(2_000, 1, 'Most messages written at once', ['facade', ...keepers]),
  batchMaxBytes: count(1_048_576, 1, 'Most text written at once', ['facade', ...keepers]),
  queueMaxCount: count(100_000, 1, 'Most messages waiting; then 503', ['facade', ...keepers]),
  queueMaxBytes: count(67_108_864, 1, 'Most text waiting; then 503', ['facade', ...keepers]),
  connectionsMax: count(8_000, 1, 'Most connections at a time', servers),
  headersTimeoutMs: count(10_000, 1, 'How long the headers of a request may take', servers),
  requestTimeoutMs: count(30_000, 1, 'How long the body of a request may take', servers),
  keepAliveTimeoutMs: count(65_000, 1, 'How long an idle connection is kept', servers),
  readerStallMs: count(5_000, 1, 'How long a reader may take nothing before it is cut', servers),
  shutdownTimeoutMs: count(10_000, 1, 'How long a stop may take to finish requests', servers),
  logLevel: oneOf(['debug', 'info', 'warn', 'error', 'silent'], 'info', 'Least diagnostics', [
    ...everyone,
  ]),
} satisfies Record<string, Setting<unknown>>;

/** The name of a setting, as an option. */
export type SettingName = keyof typeof settings;

/** All settings with their values; `port` and `store` have defaults that depend on the role. */
export type Settings = {
  readonly [Name in SettingName]: NonNullable<ReturnType<(typeof settings)[Name]['parse']>>;
};

/** The names of the settings that one reader knows. */
export function settingsOf(reader: Reader): SettingName[] {
  const names = Object.keys(settings) as SettingName[];
  return names.filter((name) => settings[name].readers.includes(reader));
}

/** What there is to tell of a setting. */
export function settingOf(name: SettingName): Setting<string | number> {
  return settings[name];
}

/** The flag of a setting: `batchMaxCount` is `--batch-max-count`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The environment variable of a setting: `batchMaxCount` is `MLOG_BATCH_MAX_COUNT`. */
export function variableOf(name: string): string {
  return `MLOG_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

const defaultPorts = { all: 8880, facade: 8880, logging: 8881, messages: 8882 } as const;

/**
 * Reads the settings of one reader: the flag, else the environment variable, else the default. An
 * empty variable counts as not set. Throws `usage`, naming the setting, where it came from and
 * what would be right; a flag that this reader does not know is refused, a variable is not.
 */
export function readSettings(
  reader: Reader,
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv = process.env,
): Settings {
  const known = settingsOf(reader);
  for (const name of Object.keys(flags)) {
    if (name in settings && !known.includes(name as SettingName)) throw unknownError(name, reader);
  }
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(settings) as SettingName[]) {
    const given = known.includes(name) ? readOne(name, flags, env) : undefined;
    values[name] = given ?? settings[name].default;
  }
  if (reader in defaultPorts) values['port'] ??= defaultPorts[reader as keyof typeof defaultPorts];
  values['store'] ??= `file:${join(dataFolder(env), 'mlog.db')}`;
  return values as Settings;
}

function readOne(
  name: SettingName,
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): unknown {
  const flag = flags[name];
  if (typeof flag === 'string') return parseSetting(name, flag, flagOf(name));
  const variable = env[variableOf(name)];
  if (variable) return parseSetting(name, variable, variableOf(name));
  return undefined;
}

function parseSetting(name: SettingName, given: string, from: string): unknown {
  const { parse, expected } = settings[name];
  const value = parse(given);
  if (value !== undefined) return value;
  throw new MlogError('usage', `${from} is ${JSON.stringify(given)}. It has to be ${expected}.`);
}

function unknownError(name: string, reader: Reader): MlogError {
  const others = settings[name as SettingName].readers.filter((other) => other !== 'client');
  const places = others.map((other) => (other === 'all' ? 'mlog serve' : `mlog serve ${other}`));
  const here = reader === 'all' ? 'mlog serve' : `mlog serve ${reader}`;
  return new MlogError('usage', `${flagOf(name)} is no setting of \`${here}\`.`, {
    hint: `It belongs to ${places.map((place) => `\`${place}\``).join(' and ')}.`,
  });
}

/** `$XDG_DATA_HOME/mlog`, by the XDG Base Directory Specification; relative values are ignored. */
function dataFolder(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_DATA_HOME'];
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'share'), 'mlog');
}

/** Says whether the person asked for no colours (https://no-color.org). */
export function noColor(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env['NO_COLOR']) || env['TERM'] === 'dumb';
}

function text(
  byDefault: string | undefined,
  placeholder: string,
  help: string,
  readers: readonly Reader[],
): Setting<string> {
  const parse = (given: string) => given || undefined;
  return { default: byDefault, parse, expected: 'some text', placeholder, help, readers };
}

function address(byDefault: string, help: string, readers: readonly Reader[]): Setting<string> {
  return {
    default: byDefault,
    parse: (given) => (/^https?:\/\//.test(given) && URL.canParse(given) ? given : undefined),
    expected: `an address such as ${byDefault}`,
    placeholder: '<address>',
    help,
    readers,
  };
}

function storeAddress(help: string, readers: readonly Reader[]): Setting<string> {
  return {
    default: undefined,
    defaultText: 'file:~/.local/share/mlog/mlog.db',
    parse: (given) => (/^(?:memory:|file:[^\0]+)$/.test(given) ? given : undefined),
    expected: 'memory: or file:PATH, such as file:./mlog.db',
    placeholder: '<address>',
    help,
    readers,
  };
}

function count(
  byDefault: number,
  least: number,
  help: string,
  readers: readonly Reader[],
): Setting<number> {
  return wholeNumber(byDefault, least, 2 ** 31 - 1, help, readers);
}

function port(
  byDefault: number | undefined,
  help: string,
  readers: readonly Reader[],
): Setting<number> {
  return wholeNumber(byDefault, 0, 65_535, help, readers);
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

function oneOf<Value extends string>(
  values: readonly Value[],
  byDefault: Value,
  help: string,
  readers: readonly Reader[],
): Setting<Value> {
  return {
    default: byDefault,
    parse: (given) => values.find((value) => value === given),
    expected: `one of ${values.join(', ')}`,
    placeholder: '<level>',
    help,
    readers,
  };
}
