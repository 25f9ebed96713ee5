import type { GateError } from "./gate-error.ts";
import type { Time } from "./time.ts";

const REPEAT_MS = 60_000; // ours
const MAX_REMEMBERED = 100; // ours

/** Writes what goes wrong to standard error, but the same kind of thing only once a minute. */
export function complaints(time: Time): (error: GateError) => void {
  const saidMs = new Map<string, number>();
  return (error) => {
    const kind = error.code === "message_dropped" ? error.message : error.code;
    const nowMs = time.monotonicMs();
    if (nowMs - (saidMs.get(kind) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    if (saidMs.size >= MAX_REMEMBERED) saidMs.clear();
    saidMs.set(kind, nowMs);
    console.error(`@earshot/gate: ${error.code}: ${error.message}`);
  };
}
