import { parseHosts } from './security/hosts.ts';
import { parseOrigins } from './security/origins.ts';
import type { Reader, Setting } from './setting.ts';

/** Names of this service, separated by commas. */
export function hostNames<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<readonly string[], By> {
  return {
    default: [],
    defaultText: 'none',
    parse: parseHosts,
    expected: 'host names without ports, separated by commas, such as mlog.example',
    placeholder: '<names>',
    help,
    readers,
  };
}

/** Origins of pages, separated by commas. */
export function pageOrigins<By extends Reader>(
  help: string,
  readers: readonly By[],
): Setting<readonly string[], By> {
  return {
    default: [],
    defaultText: 'none',
    parse: parseOrigins,
    expected: 'origins separated by commas, such as https://app.example',
    placeholder: '<origins>',
    help,
    readers,
  };
}

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
