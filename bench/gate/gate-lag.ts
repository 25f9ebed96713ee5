import type { Session } from "./judgement.ts";
import type { SetChange } from "./set-change.ts";
import { channelName } from "./tick-schedule.ts";

export interface GateLags {
  /** From a first viewer's `subscription_succeeded` to the channel being in the set, ms. */
  readonly toAddedMs: readonly number[];
  /** From the last viewer's leaving to the channel being out of the set, ms: the vacated delay is part of it. */
  readonly toRemovedMs: readonly number[];
}

/** How soon the set followed the viewers. Members that were there before anybody watched, or that nobody left, are not timed. */
export function gateLags(changes: readonly SetChange[], sessions: readonly Session[]): GateLags {
  const byChannel = Map.groupBy(sessions, ({ channel }) => channelName(channel));
  const toAddedMs: number[] = [];
  const toRemovedMs: number[] = [];
  for (const [member, own] of Map.groupBy(changes, (change) => change.member)) {
    const visits = byChannel.get(member) ?? [];
    let absentSinceMs = Number.NEGATIVE_INFINITY;
    let isIn = false;
    for (const { atMs, change } of own) {
      if (change === "added" && !isIn) {
        const arrivals = visits.map((visit) => visit.subscribedMs).filter((ms) => ms > absentSinceMs);
        if (arrivals.length > 0) toAddedMs.push(atMs - Math.min(...arrivals));
      }
      if (change === "removed" && isIn) {
        const leavings = visits.map((visit) => visit.leftMs).filter((ms) => ms < atMs);
        if (leavings.length > 0) toRemovedMs.push(atMs - Math.max(...leavings));
        absentSinceMs = atMs;
      }
      isIn = change === "added";
    }
  }
  return { toAddedMs, toRemovedMs };
}
