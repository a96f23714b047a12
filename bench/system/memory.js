import { readFileSync } from 'node:fs';

/** Tells the most memory that a process has held so far, in MiB (VmHWM: peak resident set). */
export function peakRssMiB(pid) {
  return read(pid, /^VmHWM:\s+(\d+) kB$/m);
}

/** Tells the memory that a process holds now, in MiB (VmRSS: resident set). */
export function rssMiB(pid) {
  return read(pid, /^VmRSS:\s+(\d+) kB$/m);
}

function read(pid, pattern) {
  return Number(pattern.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}
