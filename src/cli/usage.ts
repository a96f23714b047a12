import type { CommanderError } from 'commander';
import { MlogError } from '../errors.ts';
import { roles } from '../setting.ts';

/**
 * Converts a message of commander into sentences: "error: unknown option '--prot'\n(Did you mean
 * …?)".
 */
export function toUsageError({ message, code }: CommanderError, called: string): MlogError {
  const [what = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const sentence = what.charAt(0).toUpperCase() + what.slice(1).replace(/\.?$/, '.');
  const mayBeText = called === 'send' && code === 'commander.unknownOption';
  const hint = suggestion?.replace(/^\((.*)\)$/, '$1') ?? (mayBeText ? dashHint : undefined);
  return new MlogError('usage', sentence, { hint });
}

const dashHint = 'Put a text that begins with a dash after --: mlog send -- "- item".';

/** Returns the call that shows the help of the command that was called. */
export function helpOf(called: string, args: readonly string[]): string {
  const role = called === 'serve' ? roles.filter((one) => args.includes(one)) : [];
  return ['mlog', called, ...role.slice(0, 1), '--help'].filter(Boolean).join(' ');
}
