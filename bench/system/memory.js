import { readFileSync } from 'node:fs';

/** Returns the peak memory of a process in MiB (VmHWM: peak resident set). */
export function peakRssMiB(pid) {
  return read(pid, /^VmHWM:\s+(\d+) kB$/m);
}

/** Returns the present memory of a process in MiB (VmRSS: resident set). */
export function rssMiB(pid) {
  return read(pid, /^VmRSS:\s+(\d+) kB$/m);
}

function read(pid, pattern) {
  return Number(pattern.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}
