import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly os: string;
  readonly kernel: string;
  readonly bun: string;
}

/** What a reader has to know to compare a result with another; nothing that names the machine itself. */
export function machine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    os: prettyName(),
    kernel: `${type()} ${/^[\d.]*\d/.exec(release())?.[0] ?? ""}`.trim(),
    bun: Bun.version,
  };
}

export function machineLine(of: Machine): string {
  return `${of.cpu}, ${of.cores} cores, ${of.memoryGib} GiB, ${of.os}, ${of.kernel}, Bun ${of.bun}`;
}

function prettyName(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown";
  } catch {
    return "unknown"; // not every Linux has the file
  }
}
