import { examples, type Declaration } from './declaration.ts';
import { addSettings } from './flags.ts';

/** `mlog verify`: a check of a store. */
export const verify: Declaration = {
  name: 'verify',
  declare(command) {
    command
      .description('Check every message of a store that no service has open.')
      .option('--json', 'print the report as a JSON object')
      .addHelpText('after', examples(['mlog verify', 'mlog verify --store file:./mlog.db --json']))
      .action(async (options) => {
        const { verify: run } = await import('../commands/verify.ts');
        await run(options as Record<string, string>);
      });
    addSettings(command, ['verify']);
  },
};
