import { Option, type Command } from 'commander';
import { flagOf, settingOf, settingsOf, variableOf, type SettingName } from '../config.ts';
import type { Reader } from '../setting.ts';

/**
 * Adds the settings of some readers as flags; `config.ts` parses them. If the help is for one
 * reader, only its settings are shown, but all are accepted here, so that `config.ts` can say where
 * a wrong one belongs.
 */
export function addSettings(command: Command, readers: readonly Reader[], helped?: Reader): void {
  for (const name of new Set(readers.flatMap(settingsOf))) {
    if (settingOf(name).isVariableOnly) continue;
    const option = toOption(name, helped ? [helped] : readers);
    const isIdle = helped !== undefined && !settingOf(name).readers.includes(helped);
    command.addOption(option.hideHelp(isIdle));
  }
}

function toOption(name: SettingName, offered: readonly Reader[]): Option {
  const {
    placeholder,
    help,
    default: value,
    defaultText = String(value),
    readers,
  } = settingOf(name);
  const knowing = offered.filter((reader) => readers.includes(reader));
  const limits = knowing.length < offered.length ? `; ${toLimits(knowing)}` : '';
  const facts = `default ${defaultText}, ${variableOf(name)}${limits}`;
  return new Option(`${flagOf(name)} ${placeholder}`.trim(), `${help} (${facts})`);
}

/** Says which calls of `mlog serve` know a setting. */
function toLimits(knowing: readonly Reader[]): string {
  const named = knowing.filter((reader) => reader !== 'all').join(', ');
  if (named === '') return 'only without a role';
  return `only ${named}${knowing.includes('all') ? ' or no role' : ''}`;
}
