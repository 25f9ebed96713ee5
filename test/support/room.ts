/**
 * A disk without room, for one process: the kernel lets none of its files grow beyond a size (`prlimit`, of Debian's
 * util-linux, needs no rights). SQLite meets that in the same place as a full disk, under another name of the error.
 */
import { spawnSync } from "node:child_process";

const PRLIMIT = Bun.which("prlimit");

/** Whether this machine can do that. */
export const canTakeRoom = PRLIMIT !== null;

/** No file of the process can be written at or behind so many bytes. @throws with what `prlimit` said */
export function takeRoom(pid: number, behindBytes = 0): void {
  limitFiles(pid, String(behindBytes));
}

export function giveRoom(pid: number): void {
  limitFiles(pid, "unlimited");
}

/** The soft limit only: the hard one could not be raised again. */
function limitFiles(pid: number, bytes: string): void {
  const { status, stderr } = spawnSync(PRLIMIT ?? "", ["--pid", String(pid), `--fsize=${bytes}:`], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`prlimit --fsize=${bytes}: ${stderr}`);
}
