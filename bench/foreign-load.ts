import { readFileSync } from "node:fs";

const SAMPLE_MS = 500;

/** How busy the machine is, in percent of all its cores, while the bench itself does nothing: what else runs disturbs the times. */
export async function foreignLoadPercent(): Promise<number> {
  const before = processorTime();
  await Bun.sleep(SAMPLE_MS);
  const after = processorTime();
  return (100 * (after.busy - before.busy)) / (after.total - before.total);
}

/** Of the whole machine since it started, in ticks. */
export function processorTime(): { busy: number; total: number } {
  return parseProcessorTime(readFileSync("/proc/stat", "utf8"));
}

/** @param stat /proc/stat, whose first line is `cpu user nice system idle iowait irq softirq steal ...` in ticks */
export function parseProcessorTime(stat: string): { busy: number; total: number } {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = stat
    .slice(0, stat.indexOf("\n"))
    .replace(/^cpu +/, "")
    .split(" ")
    .map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
}
