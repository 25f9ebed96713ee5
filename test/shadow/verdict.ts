/** What must be so over a whole history, not only at its end. */
import type { StampedEvent } from "@earshot/protocol/webhook";
import { decidedMs } from "../support/server-log.ts";
import type { Attendance } from "./attendance.ts";
import { Finding } from "./finding.ts";
import type { ShadowEndpoint } from "./shadow-endpoint.ts";
import { stateOf } from "./view.ts";
import { hasMembers, TIMES } from "./world.ts";

const CLOCK_MS = 3; // versions hold whole milliseconds, and a version more where two fall into one
const SIGNAL_MS = 500; // ours: from a signal until the process acts on it, on a machine that does several other things
const TAKEN_UP_MS = 1_000; // the promise for an endpoint that is added while the server runs

/** What is announced follows the rules of the game: turn by turn, members inside of occupied channels. @throws Finding */
export function checkLog(log: readonly StampedEvent[]): void {
  const present = new Set<string>();
  for (const event of log) {
    const { channel } = event;
    const state = stateOf(event);
    if (state === undefined) continue;
    if (state.isPresent === present.has(state.subject))
      throw new Finding(`announced twice in a row: ${JSON.stringify(event)}`, channel);
    if (state.isPresent) present.add(state.subject);
    else present.delete(state.subject);
    if (!hasMembers(channel)) continue;
    if (state.subject !== channel && !present.has(channel))
      throw new Finding(`a member outside of an occupied channel: ${JSON.stringify(event)}`, channel);
    const left = [...present].find((subject) => subject.startsWith(`${channel}/`));
    if (event.name === "channel_vacated" && left !== undefined)
      throw new Finding(`vacated before its member ${left}: ${JSON.stringify(event)}`, channel);
  }
}

/** Nobody is announced gone who was there at any moment of the delay before. @throws Finding */
export function checkDepartures(log: readonly StampedEvent[], attendance: Attendance): void {
  for (const event of log) {
    const state = stateOf(event);
    if (state === undefined || state.isPresent) continue;
    const atMs = decidedMs(event);
    const fromMs = atMs - TIMES.vacatedDelay + CLOCK_MS;
    const client = attendance.during(state.subject, fromMs, atMs - CLOCK_MS);
    if (client !== undefined)
      throw new Finding(`${JSON.stringify(event)} although client ${client} was there`, event.channel);
    for (const { how, fromMs: outageMs, settledMs } of attendance.outages) {
      const quietMs = outageMs + SIGNAL_MS;
      if (atMs > quietMs && atMs < settledMs)
        throw new Finding(
          `${JSON.stringify(event)} before the server had settled at ${settledMs} (${how} at ${outageMs})`,
          event.channel,
        );
    }
  }
}

/** What of the log the endpoint should have received and has not. */
export function missing(endpoint: ShadowEndpoint, log: readonly StampedEvent[]): StampedEvent[] {
  const sinceMs = endpoint.addedMs === undefined ? 0 : endpoint.addedMs + TAKEN_UP_MS;
  const owed = endpoint.plan.isFirst ? log : log.filter((event) => decidedMs(event) > sinceMs);
  return owed.filter((event) => endpoint.wants(event) && !endpoint.firsts.has(event.version));
}

/** Nothing that the server does not know of, nothing with another content, in order. @throws Finding */
export function checkReceived(
  endpoint: ShadowEndpoint,
  log: readonly StampedEvent[],
  orderOf: (event: StampedEvent) => string,
): void {
  const written = new Map(log.map((event) => [event.version, event]));
  const newest = new Map<string, number>();
  for (const [version, event] of endpoint.firsts) {
    const { channel } = event;
    const told = `receiver "${endpoint.plan.name}" was told ${JSON.stringify(event)}`;
    if (!Bun.deepEquals(written.get(version), event))
      throw new Finding(`${told}; the server's log: ${JSON.stringify(written.get(version))}`, channel);
    const before = newest.get(orderOf(event)) ?? 0;
    if (version < before) throw new Finding(`${told} for the first time after version ${before}`, channel);
    newest.set(orderOf(event), version);
  }
}
