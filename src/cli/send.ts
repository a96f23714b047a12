import { examples, type Declaration } from './declaration.ts';
import { addSettings } from './flags.ts';

/** `mlog send`: one message, or a message per line. */
export const send: Declaration = {
  name: 'send',
  declare(command) {
    command
      .description('Send one message and print its id, or send a message per line.')
      .argument('[text...]', 'the text, words joined by a space; - reads it from stdin')
      .option(
        '--id <id>',
        'the id of the message; with --lines, line N gets ID-N, so a rerun stores nothing twice',
      )
      .option(
        '--lines',
        'send each line of stdin as a message, as soon as it arrives; LF or CRLF ends a line',
      )
      .option('--ndjson', 'send each line of stdin, a JSON object with txt and optionally id')
      .option('-f, --file <file>', 'with --lines or --ndjson: read this file instead of stdin')
      .option('--json', 'print a JSON object per message, with its id and status')
      .addHelpText(
        'after',
        examples([
          'mlog send "Its me"',
          'mlog send --id order-17 "Order 17 was paid"',
          'git diff | mlog send -',
          'mlog send --lines -f access.log --id access-2026-11-23',
          'mlog list --json | mlog send --ndjson --url http://localhost:9880',
        ]),
      )
      .action(async (words: string[], options: Record<string, string>) => {
        const { inputKindOf } = await import('../commands/send/input-kind.ts');
        if (inputKindOf(words, options) === 'lines') {
          const { sendLines } = await import('../commands/send/lines.ts');
          await sendLines(options);
        } else {
          const { sendMessage } = await import('../commands/send/message.ts');
          await sendMessage(words, options);
        }
      });
    addSettings(command, ['send']);
  },
};
