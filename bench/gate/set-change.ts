/** One member that came into the set of occupied channels or went out of it. */
export interface SetChange {
  /** Unix milliseconds, by the clock of Redis. */
  readonly atMs: number;
  readonly change: "added" | "removed";
  readonly member: string;
}

/** Of a script too: Redis names the commands that a script calls after the script. */
const LINE = /^\+(\d+\.\d+) \[[^\]]*\] "(sadd|srem)" "((?:[^"\\]|\\.)*)" (.*)$/i;
const WORD = /"((?:[^"\\]|\\.)*)"/g;

/** @param line what Redis says to MONITOR: `+1700000000.123456 [0 lua] "SADD" "pusher:channels" "private-a"` */
export function parseSetChange(line: string, key: string): SetChange[] {
  const [, seconds, command, of, members = ""] = LINE.exec(line) ?? [];
  if (of !== key) return [];
  const change = command?.toLowerCase() === "sadd" ? "added" : "removed";
  const atMs = Number(seconds) * 1_000;
  return [...members.matchAll(WORD)].map(([, member = ""]) => ({ atMs, change, member }));
}
