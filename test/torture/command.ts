import { startChild } from '../support/child.ts';

/** Runs a command to its end and returns its stdout. Rejects with its output if it fails. */
export const runCommand = async (
  command: string,
  args: readonly string[],
  { cwd }: { cwd?: string } = {},
): Promise<string> => {
  const child = await startChild(command, args, cwd === undefined ? {} : { cwd });
  const { code, signal } = await child.exited;
  if (code === 0) return child.stdout();
  const said = child.stderr() + child.stdout();
  throw new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}: ${said}`);
};
