const syncs = 'fsync,fdatasync';

// -D keeps the program our own child, so that it can be killed as without strace.
const strace = ['strace', '-D', '-f', '-qq', '--seccomp-bpf'];

/** Runs a program with each of its syncs that much later. */
export const delaySyncs = (delayMs: number): string[] => {
  const inject = `inject=${syncs}:delay_enter=${delayMs * 1000}`;
  return [...strace, '-o', '/dev/null', '-e', `trace=${syncs}`, '-e', inject];
};

/** Runs a program and writes down what it writes and syncs, each page of the store in full. */
export const traceWrites = (file: string): string[] => {
  const calls = `trace=pwrite64,write,writev,sendto,sendmsg,${syncs}`;
  return [...strace, '-o', file, '-ttt', '-y', '-s', '4200', '-e', calls];
};

/** Runs a program as `traceWrites` does, and lets the n-th sync of each of its threads fail. */
export const failSync = (file: string, n: number): string[] => {
  const inject = `inject=${syncs}:error=EIO:when=${n}`;
  return [...traceWrites(file), '-e', inject];
};

/** Runs a program and lets the first sync of one file or folder fail. */
export const failSyncOf = (file: string, path: string): string[] => {
  return [...failSync(file, 1), '-P', path];
};
