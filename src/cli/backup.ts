import { examples, type Declaration } from './declaration.ts';
import { addSettings } from './flags.ts';

/** `mlog backup`: a copy of running services. */
export const backup: Declaration = {
  name: 'backup',
  declare(command) {
    command
      .description(
        'Copy the messages of running services into a store file; a rerun copies only new ones.',
      )
      .argument('<file>', 'the file of the copy, which is a store itself')
      .option('--json', 'print the report as a JSON object')
      .addHelpText(
        'after',
        examples([
          'mlog backup ./copy.db',
          'mlog verify --store file:./copy.db',
          'mlog serve --store file:./copy.db',
        ]),
      )
      .action(async (file: string, options) => {
        const { backup: run } = await import('../commands/backup.ts');
        await run(file, options as Record<string, string>);
      });
    addSettings(command, ['client']);
  },
};
