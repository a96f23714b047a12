import { parseHosts } from './security/hosts.ts';
import { parseOrigins } from './security/origins.ts';
import type { Reader, Setting } from './setting.ts';

type Values = readonly string[];

/** Names of this service, separated by commas. */
export function hostNames<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<Values, By> {
  const expected = 'host names without ports, separated by commas, such as mlog.example';
  return { ...emptyByDefault, parse: parseHosts, expected, placeholder: '<names>', help, readers };
}

/** Origins of pages, separated by commas. */
export function pageOrigins<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<Values, By> {
  const expected = 'origins separated by commas, such as https://app.example';
  const placeholder = '<origins>';
  return { ...emptyByDefault, parse: parseOrigins, expected, placeholder, help, readers };
}

const emptyByDefault = { default: [] as Values, defaultText: 'none' };

/** The path of a file. */
export function filePath<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<string | undefined, By> {
  return {
    default: undefined,
    defaultText: 'none',
    parse: (given) => given || undefined,
    expected: 'the path of a file',
    placeholder: '<file>',
    help,
    readers,
  };
}

/** A text that nobody else may see, in no message either. */
export function secret<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<string | undefined, By> {
  const kind = filePath(help, readers);
  return { ...kind, placeholder: '<secret>', secret: () => true, isVariableOnly: true };
}

/** Off unless it is given; in a variable, `true` or `false`. */
export function toggle<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<boolean, By> {
  return {
    default: false,
    parse: (given) => ({ true: true, false: false })[given],
    expected: 'true or false',
    placeholder: '',
    help,
    readers,
  };
}
