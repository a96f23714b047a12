import { Argument } from 'commander';
import { roles, type Role } from '../setting.ts';
import { examples, type Declaration } from './declaration.ts';
import { addSettings } from './flags.ts';

const calls = [
  'mlog serve                                    facade on 8880, logging on 8881, messages on 8882',
  'mlog serve --store memory:                    keep nothing after the run',
  'mlog serve logging --port 9001 --store file:./mlog.db',
  'mlog serve facade --port 9000 --logging http://localhost:9001',
  'mlog serve facade --port 9000 --logging grpc://localhost:50051',
  'mlog serve messages --port 9002 --follow http://localhost:9001',
  'mlog serve --retain-age 30d                   remove messages older than 30 days',
];

/** `mlog serve`. After a role, its help shows the settings and examples of that role alone. */
export const serve: Declaration = {
  name: 'serve',
  declare(command, args) {
    const asked = roles.find((one) => args.includes(one));
    command
      .description('Run one of the services, or all three in one process.')
      .addArgument(new Argument('[role]', 'the service to run (default: all three)').choices(roles))
      .addHelpText(
        'after',
        examples(calls.filter((one) => !asked || one.includes(` serve ${asked} `))),
      )
      .action(async (role: Role | undefined, options) => {
        const { serve: run } = await import('../commands/serve/serve.ts');
        await run(role, options as Record<string, unknown>);
      });
    addSettings(command, ['all', ...roles], asked);
  },
};
