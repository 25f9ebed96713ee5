import { LANES, laneOf } from "#core/lane";
import type { Announced } from "#core/ports";
import type { LaneRow } from "./delivery-tables.ts";
import type { Lane } from "./lane.ts";
import { breathe, type LaneHost, type WebhooksParts } from "./parts.ts";
import { eventOfAnnounced, subjectOfAnnounced } from "./subject.ts";

const CHUNK = 1_000; // ours: states that are written down in one turn
const RETRY_MS = 250; // ours: until the store is asked again

/** The lanes of an endpoint that was not there before: what is told from now on begins behind the cut. */
export function newLanes(cut: number): LaneRow[] {
  return Array.from({ length: LANES }, (_, lane) => ({
    lane,
    cursor: cut,
    isOwedDue: false,
    hand: undefined,
  }));
}

/**
 * Makes the endpoint owed everything that is announced present and that its lanes are past: what is newer is told by the
 * log. False where it was overtaken.
 */
export async function writeSeeds(
  host: LaneHost,
  lanes: readonly Lane[],
  present: readonly Announced[],
  isOver: () => boolean,
): Promise<boolean> {
  const { store, later, clock } = host.parts;
  const sinceMs = clock.wallMs();
  for (let start = 0; start < present.length; start += CHUNK) {
    const due = present.slice(start, start + CHUNK).filter((state) => host.wants(eventOfAnnounced(state)));
    const added = new Map<Lane, number>();
    const write = () =>
      store.write((tables) => {
        added.clear();
        for (const state of due) {
          const lane = lanes[laneOf(state.channel)];
          if (lane === undefined || state.version > lane.backlog.cursor) continue;
          const isNew = tables.owe(host.key, lane.number, subjectOfAnnounced(state), state.version, sinceMs);
          if (isNew) added.set(lane, (added.get(lane) ?? 0) + 1);
        }
      });
    if (!(await untilWritten(later, write, isOver))) return false;
    for (const [lane, count] of added) lane.arrears.owe(count, sinceMs);
    await breathe(later);
  }
  return !isOver();
}

/** Tries until it succeeds. False where it was overtaken. */
export async function untilWritten(
  later: WebhooksParts["later"],
  write: () => boolean,
  isOver: () => boolean,
): Promise<boolean> {
  while (!isOver()) {
    if (write()) return true;
    await breathe(later, RETRY_MS);
  }
  return false;
}
