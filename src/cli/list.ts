import { examples, type Declaration } from './declaration.ts';
import { addSettings } from './flags.ts';

/** `mlog list`: the messages there are, and with `--follow` those to come. */
export const list: Declaration = {
  name: 'list',
  declare(command) {
    command
      .description('Print the messages, one text per line.')
      .option('--after <seq>', 'only messages after this number')
      .option('--limit <n>', 'at most this many, the first ones')
      .option('--last <n>', 'at most this many, the last ones')
      .option('-f, --follow', 'keep printing messages as they arrive')
      .option('--json', 'print a JSON object per message: seq, id, txt, at')
      .option(
        '--cursor <file>',
        'keep the position in this file and resume from it; it moves when stdout has taken a ' +
          'line, which in a pipe is before its reader has it (see --exec)',
      )
      .option(
        '--exec <command>',
        'run this for each message, with its text on stdin (with --json, the object); the ' +
          'position moves after exit code 0, so a message may come twice but none is lost',
      )
      .option(
        '--exec-batch <n>',
        'with --exec: pass up to this many messages at once, one per line',
      )
      .option(
        '--exec-attempts <n>',
        'with --exec: run the command this often before giving up (default 1)',
      )
      .addHelpText(
        'after',
        examples([
          'mlog list',
          'mlog list --last 10',
          'mlog list --after 1000 --limit 50 --json',
          'mlog list --last 0 --follow',
          'mlog list --follow --json --cursor ./mlog.cursor >> mlog.ndjson',
          `mlog list --follow --cursor ./mail.cursor --exec 'mail -s "New message" me'`,
        ]),
      )
      .action(async (options) => {
        const { list: run } = await import('../commands/list/list.ts');
        await run(options as Record<string, string>);
      });
    addSettings(command, ['client']);
  },
};
