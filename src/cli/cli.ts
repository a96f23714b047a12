import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { flush, put } from '../commands/print.ts';
import { toMlogError } from '../errors.ts';
import { checkArguments } from '../given-text.ts';
import { ignoreStraySignals } from '../lifecycle.ts';
import { toVisible } from '../observe/visible.ts';
import { backup } from './backup.ts';
import { examples, type Declaration } from './declaration.ts';
import { list } from './list.ts';
import { send } from './send.ts';
import { serve } from './serve.ts';
import { helpOf, toUsageError } from './usage.ts';
import { verify } from './verify.ts';
import { version } from './version.ts';

/** Runs a command line. This is the only place that turns an error into an exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  ignoreStraySignals();
  try {
    await run(argv);
    await flush();
  } catch (error) {
    process.exit(report(error, argv));
  }
}

async function run(argv: readonly string[]): Promise<void> {
  checkArguments(argv);
  try {
    await createProgram(argv.slice(2)).parseAsync(argv);
  } catch (error) {
    // commander throws after it has printed the help or the version, too.
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
}

/** Writes what went wrong as one line, without a stack trace. Returns the exit code. */
function report(thrown: unknown, argv: readonly string[]): number {
  // A call without a command has printed the help already.
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return 2;
  const [called = '', ...args] = argv.slice(2);
  const isUsage = thrown instanceof CommanderError;
  const error = isUsage ? toUsageError(thrown, called) : toMlogError(thrown);
  const reason = error.code === 'internal' ? reasonOf(error.cause) : error.hint;
  const isCommand = commands.some(({ name }) => name === called);
  const help = helpOf(isCommand ? called : '', args);
  const more = error.code === 'usage' ? `See \`${help}\`.` : '';
  const line = [error.message, reason, more].filter(Boolean).join(' ');
  process.stderr.write(`mlog: ${toVisible(line)}\n`);
  return error.exitCode;
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

/** Every command, in the order of the help. */
const commands: readonly Declaration[] = [serve, send, list, verify, backup, version];

/** Returns the parser of one command, or of all where none is called: each takes 0.5 ms to make. */
function createProgram([called = '', ...rest]: readonly string[]): Command {
  const program = new Command('mlog')
    .description('A small durable message log: on disk before it answers, one id is one message.')
    .version(manifest.version)
    // `report` says what commander finds wrong.
    .configureOutput({ writeOut: put, outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .addHelpText(
      'after',
      `
Every option with a default can be set in the environment: --retry-delay-ms is
MLOG_RETRY_DELAY_MS.
Exit codes: 0 done, 1 failed, 2 usage, 3 unreachable or outcome unknown, 4 refused,
5 conflict, 6 position gone, 7 not allowed.
${examples([
  'mlog serve                                        all three services on this machine',
  'curl -X POST -d "txt=Hello" http://localhost:8880 a message by curl',
  'mlog send "Its me"                                a message by mlog; prints its id',
  'mlog list                                         the messages, one per line',
])}`,
    );
  const asked = commands.filter(({ name }) => name === called);
  for (const { name, declare } of asked.length > 0 ? asked : commands) {
    declare(program.command(name), rest);
  }
  return program;
}
