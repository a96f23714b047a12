import { examples, type Declaration } from './declaration.ts';

/** `mlog version`: what this program consists of. */
export const version: Declaration = {
  name: 'version',
  declare(command) {
    command
      .description('Print the versions of mlog, Node, SQLite and every bundled library.')
      .option('--json', 'print them as a JSON object')
      .addHelpText('after', examples(['mlog version', 'mlog version --json']))
      .action(async (options) => {
        const { printVersion } = await import('../commands/version.ts');
        await printVersion(options as { readonly json?: boolean });
      });
  },
};
