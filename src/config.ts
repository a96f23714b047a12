import { MlogError } from './errors.ts';
import { checkVariable } from './given-text.ts';
import type { Reader, Setting } from './setting.ts';
import { settings } from './settings.ts';

/** The flags of a command line: the text of each, by its option. */
export type Flags = Readonly<Record<string, unknown>>;

/** The name of a setting, as an option. */
export type SettingName = keyof typeof settings;

type Table = typeof settings;
type DefaultOf<Given> = Given extends (...args: never) => infer Value ? Value : Given;
type ValueOf<Name extends SettingName> =
  | Exclude<ReturnType<Table[Name]['parse']>, undefined>
  | Extract<DefaultOf<Table[Name]['default']>, undefined>;

/** The values of the settings that a reader knows, or that several readers share. */
export type SettingsOf<By extends Reader> = {
  readonly [
    Name in SettingName as [By] extends [Table[Name]['readers'][number]] ? Name : never
  ]: ValueOf<Name>;
};

/** Returns the names of the settings that a reader knows. */
export function settingsOf(reader: Reader): SettingName[] {
  const names = Object.keys(settings) as SettingName[];
  return names.filter((name) => settingOf(name).readers.includes(reader));
}

/** Returns the definition of a setting. */
export function settingOf(name: SettingName): Setting<unknown> {
  return settings[name];
}

/** Returns the flag of a setting: `batchMaxCount` is `--batch-max-count`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Returns the environment variable of a setting: `batchMaxCount` is `MLOG_BATCH_MAX_COUNT`. */
export function variableOf(name: string): string {
  return `MLOG_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * Reads the settings of one reader: from the flag, else the environment variable, else the default.
 * An empty variable counts as unset, and so does one that a container platform sets for a service
 * named mlog, such as `MLOG_PORT=tcp://10.0.0.7:8880`. Throws `usage` with the setting, where it
 * came from, and what would be right. A flag that this reader does not know is refused; a variable
 * is ignored.
 */
export function readSettings<By extends Reader>(
  reader: By,
  flags: Flags,
  env: NodeJS.ProcessEnv = process.env,
): SettingsOf<By> {
  const known = settingsOf(reader);
  for (const name of Object.keys(flags)) {
    if (!(name in settings) || known.includes(name as SettingName)) continue;
    throw unknownError(name as SettingName, reader);
  }
  const values: Record<string, unknown> = {};
  for (const name of known) {
    const { default: byDefault } = settingOf(name);
    const usual = () => (typeof byDefault === 'function' ? byDefault(reader, env) : byDefault);
    values[name] = readOne(name, flags, env) ?? usual();
  }
  return values as SettingsOf<By>;
}

function readOne(name: SettingName, flags: Flags, env: NodeJS.ProcessEnv): unknown {
  const flag = flags[name];
  if (flag === true) return true;
  if (typeof flag === 'string') return parseSetting(name, flag, flagOf(name));
  const variable = env[variableOf(name)];
  const { foreign } = settingOf(name);
  if (!variable || foreign?.(variable)) return undefined;
  checkVariable(variableOf(name), variable);
  return parseSetting(name, variable, variableOf(name));
}

function parseSetting(name: SettingName, given: string, from: string): unknown {
  const { parse, expected, secret } = settingOf(name);
  const value = parse(given);
  if (value !== undefined) return value;
  const flaw = secret?.(given) ? 'contains a user or password' : `is ${JSON.stringify(given)}`;
  throw new MlogError('usage', `${from} ${flaw}. It must be ${expected}.`, {
    ...(secret?.(given) && { hint: 'No service asks for one, and addresses appear in log lines.' }),
  });
}

/** Returns the path of the program that a shell started, as most shells tell it. */
export function startedAs(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['_'];
}

const places: Readonly<Record<Reader, string>> = {
  facade: 'mlog serve facade',
  logging: 'mlog serve logging',
  messages: 'mlog serve messages',
  all: 'mlog serve',
  send: 'mlog send',
  client: 'mlog list',
  verify: 'mlog verify',
};

function unknownError(name: SettingName, reader: Reader): MlogError {
  const others = settingOf(name).readers.map((other) => `\`${places[other]}\``);
  return new MlogError('usage', `${flagOf(name)} is not a setting of \`${places[reader]}\`.`, {
    hint: `It belongs to ${others.join(', ')}.`,
  });
}
