import { LANES, laneOf } from "#core/lane";
import type { Announced } from "#core/ports";
import type { LaneRow } from "./endpoint-table.ts";
import type { Lane } from "./lane.ts";
import { breathe, type LaneHost } from "./parts.ts";
import { eventOfAnnounced, subjectOfAnnounced } from "./subject.ts";

const CHUNK = 500; // ours: states that are written down in one turn, some milliseconds
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

interface PreparedHost extends LaneHost {
  readonly lanes: readonly Lane[];
}

/**
 * Writes down what an endpoint is owed from the start, and its shape once that is done. An endpoint without lanes is
 * made known first, by `enrol`. False where it was overtaken.
 */
export async function prepare(
  host: PreparedHost,
  shape: string,
  enrol: (cut: number) => boolean,
  isOver: () => boolean,
): Promise<boolean> {
  const { endpoint, app, parts } = host;
  const withMembers = endpoint.events.includes("member_added");
  const { position, present } = await parts.outbox.snapshot(app.id, endpoint.prefix, withMembers);
  const begin = () =>
    host.lanes.length === 0
      ? enrol(position)
      : parts.store.write((tables) => tables.endpoints.set(host.key, shape, "seeding"));
  if (!(await untilWritten(host, begin, isOver))) return false;
  if (endpoint.enabled && !(await writeSeeds(host, present, isOver))) return false;
  for (const lane of host.lanes) lane.arrears.isOwedDue = true;
  const end = () =>
    parts.store.write((tables) => {
      for (const lane of host.lanes) tables.endpoints.putLane(host.key, lane.row());
      tables.endpoints.set(host.key, shape, "ready");
    });
  return untilWritten(host, end, isOver);
}

/** Everything that is announced present and that the lanes are past: what is newer is told by the log. */
async function writeSeeds(
  host: PreparedHost,
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
          const lane = host.lanes[laneOf(state.channel)];
          if (lane === undefined || state.version > lane.backlog.cursor) continue;
          const owed = { subject: subjectOfAnnounced(state), version: state.version };
          if (tables.owed.add(host.key, lane.number, owed, sinceMs))
            added.set(lane, (added.get(lane) ?? 0) + 1);
        }
      });
    if (!(await untilWritten(host, write, isOver))) return false;
    for (const [lane, count] of added) lane.arrears.owe(count, sinceMs);
    await breathe(later);
  }
  return true;
}

/** Tries until it succeeds. False where it was overtaken. */
async function untilWritten(host: LaneHost, write: () => boolean, isOver: () => boolean): Promise<boolean> {
  while (!isOver()) {
    if (write()) return true;
    await breathe(host.parts.later, RETRY_MS);
  }
  return false;
}
