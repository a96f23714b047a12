const syncs = 'fsync,fdatasync';

// -D keeps the program our own child, so that it can be killed like without strace.
const strace = ['strace', '-D', '-f', '-qq', '--seccomp-bpf'];

/** Runs a program with each of its syncs delayed. */
export const delaySyncs = (delayMs: number): string[] => {
  const inject = `inject=${syncs}:delay_enter=${delayMs * 1000}`;
  return [...strace, '-o', '/dev/null', '-e', `trace=${syncs}`, '-e', inject];
};

/** Runs a program and records what it writes and syncs, each page of the store in full. */
export const traceWrites = (file: string): string[] => {
  const calls = `trace=pwrite64,write,writev,sendto,sendmsg,${syncs}`;
  return [...strace, '-o', file, '-ttt', '-y', '-s', '4200', '-e', calls];
};

/** Runs a program like `traceWrites`, and fails sync n of each of its threads. */
export const failSync = (file: string, n: number): string[] => {
  const inject = `inject=${syncs}:error=EIO:when=${n}`;
  return [...traceWrites(file), '-e', inject];
};

/** Runs a program and fails the first sync of one file or folder. */
export const failSyncOf = (file: string, path: string): string[] => {
  return [...failSync(file, 1), '-P', path];
};
