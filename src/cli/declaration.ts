import type { Command } from 'commander';

/** How one command is called. What it does is in `commands/`, and is loaded when it runs. */
export interface Declaration {
  readonly name: string;
  /** Adds description, arguments, flags, examples and action. `args` is what follows the name. */
  readonly declare: (command: Command, args: readonly string[]) => void;
}

/** Formats the worked examples that end a help text. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
