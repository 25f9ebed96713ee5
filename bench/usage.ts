import { readFileSync } from "node:fs";

/** The kernel counts in clock ticks; Linux shows user space 100 of them a second on every architecture that Bun runs on. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;

/** User and system time of a process with all its threads so far. */
export function cpuSeconds(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

/** @param stat one line of /proc/PID/stat: the name in parentheses may hold blanks, utime and stime are fields 14 and 15 */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident set of a process in KiB. */
export function residentKib(pid: number): number {
  return parseResidentKib(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
}

/** @param rollup /proc/PID/smaps_rollup: unlike statm, exact on kernels that count pages per processor */
export function parseResidentKib(rollup: string): number {
  const kib = Number(/^Rss: +(\d+) kB$/m.exec(rollup)?.[1]);
  if (Number.isNaN(kib)) throw new Error("smaps_rollup has no line for Rss");
  return kib;
}

export function mib(kib: number): number {
  return kib / KIB;
}
