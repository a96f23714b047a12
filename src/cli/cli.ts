import { Argument, Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { addSettings } from './flags.ts';
import { helpOf, toUsageError } from './usage.ts';
import { flush, put } from '../commands/print.ts';
import { toMlogError } from '../errors.ts';
import { checkArguments } from '../given-text.ts';
import { ignoreStraySignals } from '../lifecycle.ts';
import { toVisible } from '../observe/visible.ts';
import { roles, type Role } from '../setting.ts';

/** Runs the command of a command line; the only place that turns an error into an exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  ignoreStraySignals();
  try {
    await run(argv);
    await flush();
  } catch (error) {
    process.exit(tell(error, argv));
  }
}

async function run(argv: readonly string[]): Promise<void> {
  checkArguments(argv);
  try {
    await createProgram(argv.slice(2)).parseAsync(argv);
  } catch (error) {
    // Help and version come this way too.
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
}

/** Tells the person what went wrong, in one line and without a stack trace; gives the exit code. */
function tell(thrown: unknown, argv: readonly string[]): number {
  // The usage was asked for by a call without a command, and stands there already.
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return 2;
  const [called = '', ...args] = argv.slice(2);
  const isUsage = thrown instanceof CommanderError;
  const error = isUsage ? toUsageError(thrown, called) : toMlogError(thrown);
  const reason = error.code === 'internal' ? reasonOf(error.cause) : error.hint;
  const help = helpOf(commands.has(called) ? called : '', args);
  const more = error.code === 'usage' ? `See \`${help}\`.` : '';
  const line = [error.message, reason, more].filter(Boolean).join(' ');
  process.stderr.write(`mlog: ${toVisible(line)}\n`);
  return error.exitCode;
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

const commands = new Map([
  ['serve', addServe],
  ['send', addSend],
  ['list', addList],
  ['verify', addVerify],
  ['backup', addBackup],
]);

/** Makes the parser of a command, or of all where it is none of them: to make one takes 0.5 ms. */
function createProgram([called = '', ...rest]: readonly string[]): Command {
  const program = new Command('mlog')
    .description('A small durable message log: on disk before it answers, one id is one message.')
    .version(manifest.version)
    // `tell` says what commander finds wrong.
    .configureOutput({ writeOut: put, outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .addHelpText(
      'after',
      `
Every option with a default can come from the environment: --retry-delay-ms is
MLOG_RETRY_DELAY_MS.
Exit codes: 0 done, 1 failed, 2 usage, 3 unreachable or outcome unknown, 4 refused,
5 conflict, 6 position gone.

Examples:
  mlog serve                                        all three services, on this machine
  curl -X POST -d "txt=Hello" http://localhost:8880 a message by curl
  mlog send "Its me"                                a message by mlog; prints its id
  mlog list                                         the messages, a line each`,
    );
  const add = commands.get(called);
  for (const one of add ? [add] : commands.values()) one(program, rest);
  return program;
}

const serveExamples = [
  'mlog serve                                    facade on 8880, logging on 8881, messages on 8882',
  'mlog serve --store memory:                    a throw-away run',
  'mlog serve logging --port 9001 --store file:./mlog.db',
  'mlog serve facade --port 9000 --logging http://localhost:9001',
  'mlog serve facade --port 9000 --logging grpc://localhost:50051',
  'mlog serve messages --port 9002 --follow http://localhost:9001',
  'mlog serve --retain-age 30d                   messages older than that are removed',
];

/** Adds `mlog serve`; beside a role, its help shows the settings and examples of that role alone. */
function addServe(program: Command, args: readonly string[]): void {
  const asked = roles.find((one) => args.includes(one));
  const command = program
    .command('serve')
    .description('Run one of the services, or all three in one process.')
    .addArgument(new Argument('[role]', 'the service to run; all three if none').choices(roles));
  addSettings(command, ['all', ...roles], asked);
  const examples = serveExamples.filter((one) => !asked || one.includes(` serve ${asked} `));
  command
    .addHelpText('after', `\nExamples:\n${examples.map((one) => `  ${one}`).join('\n')}`)
    .action(async (role: Role | undefined, options) => {
      const { serve } = await import('../commands/serve.ts');
      await serve(role, options as Record<string, unknown>);
    });
}

function addSend(program: Command): void {
  const command = program
    .command('send')
    .description('Send one message and print its id, or many, a line each.')
    .argument('[text...]', 'the text, words joined by a space; - reads it from stdin')
    .option(
      '--id <id>',
      'the id, or with --lines the ids ID-1, ID-2, …; a rerun stores nothing twice',
    )
    .option('--lines', 'send each line of stdin as a message, as it comes; LF or CRLF ends a line')
    .option('--ndjson', 'send each line of stdin, a JSON object with txt and perhaps id')
    .option('-f, --file <file>', 'with --lines or --ndjson: read this file')
    .option('--json', 'print a JSON object a message, with id and status');
  addSettings(command, ['send']);
  command
    .addHelpText(
      'after',
      `
Examples:
  mlog send "Its me"
  mlog send --id order-17 "Order 17 was paid"
  git diff | mlog send -
  mlog send --lines -f access.log --id access-2026-11-23
  mlog list --json | mlog send --ndjson --url http://localhost:9880`,
    )
    .action(async (words: string[], options: Record<string, string>) => {
      const { checkSendInput } = await import('../commands/send-input.ts');
      if (checkSendInput(words, options) === 'lines') {
        const { sendLines } = await import('../commands/send-lines.ts');
        await sendLines(options);
      } else {
        const { send } = await import('../commands/send.ts');
        await send(words, options);
      }
    });
}

function addList(program: Command): void {
  const command = program
    .command('list')
    .description('Print the messages, a text a line.')
    .option('--after <seq>', 'only messages behind this number')
    .option('--limit <n>', 'at most so many, the first ones')
    .option('--last <n>', 'at most so many, the last ones')
    .option('-f, --follow', 'go on with messages as they come')
    .option('--json', 'print an entry a line as JSON: seq, id, txt, at')
    .option(
      '--cursor <file>',
      'keep the position in this file and go on from there; it moves when stdout has taken a ' +
        'line: a pipe has then, its reader perhaps not yet (see --exec)',
    )
    .option(
      '--exec <command>',
      'run this for each message, its text on stdin (with --json its entry); the position moves ' +
        'when it has ended with 0, so a message may come twice but none is lost',
    )
    .option('--exec-batch <n>', 'with --exec: hand on up to so many messages at once, a line each')
    .option('--exec-attempts <n>', 'with --exec: runs before a failure ends the list (default 1)');
  addSettings(command, ['client']);
  command
    .addHelpText(
      'after',
      `
Examples:
  mlog list
  mlog list --last 10
  mlog list --after 1000 --limit 50 --json
  mlog list --last 0 --follow
  mlog list --follow --json --cursor ./mlog.cursor >> mlog.ndjson
  mlog list --follow --cursor ./mail.cursor --exec 'mail -s "New message" me'`,
    )
    .action(async (options) => {
      const { list } = await import('../commands/list.ts');
      await list(options as Record<string, string>);
    });
}

function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('Check every message of a store that no service has open.')
    .option('--json', 'print the report as a JSON object');
  addSettings(command, ['verify']);
  command
    .addHelpText(
      'after',
      `
Examples:
  mlog verify
  mlog verify --store file:./mlog.db --json`,
    )
    .action(async (options) => {
      const { verify } = await import('../commands/verify.ts');
      await verify(options as Record<string, string>);
    });
}

function addBackup(program: Command): void {
  const command = program
    .command('backup')
    .description('Copy the messages of running services into a store file; again, only new ones.')
    .argument('<file>', 'the file of the copy, itself a store')
    .option('--json', 'print the report as a JSON object');
  addSettings(command, ['client']);
  command
    .addHelpText(
      'after',
      `
Examples:
  mlog backup ./copy.db
  mlog verify --store file:./copy.db
  mlog serve --store file:./copy.db`,
    )
    .action(async (file: string, options) => {
      const { backup } = await import('../commands/backup.ts');
      await backup(file, options as Record<string, string>);
    });
}
