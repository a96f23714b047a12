import { proxyMissing, proxyNames } from '../support/proxy-server.ts';
import { runCommand } from './command.ts';

/** What a proof needs from the machine. */
export type Need = 'mount' | 'loop' | 'strace' | 'proc' | 'proxies';

const mayMount = (): string | undefined =>
  process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'root on Linux is needed';

const checks: Record<Need, () => Promise<string | undefined>> = {
  mount: async () => mayMount(),
  loop: async () =>
    mayMount() ?? (await works('losetup', ['-f'])) ?? (await works('mkfs.ext4', ['-V'])),
  strace: async () =>
    // Traces something, because some machines have strace but do not permit tracing.
    (await works('strace', ['-f', '--seccomp-bpf', '-o', '/dev/null', 'true'])) &&
    'strace 5.3 or later is needed, and the right to trace',
  proc: async () => (process.platform === 'linux' ? undefined : 'Linux is needed'),
  proxies: async () => proxyNames.map(proxyMissing).find((reason) => reason !== undefined),
};

const works = async (command: string, args: readonly string[]): Promise<string | undefined> => {
  try {
    await runCommand(command, args);
    return undefined;
  } catch (error) {
    return `${command} does not work here: ${(error as Error).message}`;
  }
};

/** Says why this machine cannot run a proof; undefined if it can. */
export const whyNot = async (needs: readonly Need[]): Promise<string | undefined> => {
  for (const need of needs) {
    const reason = await checks[need]();
    if (reason !== undefined) return reason;
  }
  return undefined;
};
