import { readFileSync } from 'node:fs';

/** Tells the most memory that a process has held so far, in MiB (VmHWM: peak resident set). */
export function peakRssMiB(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)[1]) / 1024;
}
