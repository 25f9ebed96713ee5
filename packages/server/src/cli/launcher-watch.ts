/**
 * npm and npx pass no signal on: who stops them leaves the server running. So a server that was started by one of them
 * looks now and then whether they still live.
 */
import { readFileSync } from "node:fs";

const LOOK_EVERY_MS = 250;
const SHELLS = new Set(["sh", "dash", "bash", "ash", "busybox", "zsh"]);

/** Calls back once when the npm or npx that started this process is gone. Returns the way out; does nothing where there is none. */
export function watchLauncher(
  env: Readonly<Record<string, string | undefined>>,
  gone: () => void,
): () => void {
  const isFromNpm = env["npm_execpath"] !== undefined || env["npm_command"] !== undefined;
  if (!isFromNpm) return () => undefined;
  const parent = process.ppid;
  // npm runs a command through a shell; most shells become the command, others wait for it and stay when npm goes.
  const grandparent = SHELLS.has(statusOf(parent)?.name ?? "") ? statusOf(parent)?.parent : undefined;
  const timer = setInterval(() => {
    const isOrphan =
      process.ppid !== parent || (grandparent !== undefined && statusOf(parent)?.parent !== grandparent);
    if (!isOrphan) return;
    clearInterval(timer);
    gone();
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

/** From /proc, where the system has one. */
function statusOf(pid: number): { name: string; parent: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const name = /^Name:\s*(.*)$/m.exec(status)?.[1] ?? "";
    const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
    return { name, parent };
  } catch {
    return undefined;
  }
}
