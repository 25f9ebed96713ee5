import type { Change, Snapshot } from "./change.ts";
import { GateError } from "./gate-error.ts";
import type { OccupancyFrame } from "./occupancy-frame.ts";
import { occupancyStream, type StreamRequest } from "./occupancy-stream.ts";
import type { Store } from "./store.ts";

const CHANNELS_AT_ONCE = 500; // ours

/** Puts the pages of a snapshot together. */
export class SnapshotPages {
  #occupied: Change[] = [];

  /** The snapshot, with its last page. */
  add(page: Extract<OccupancyFrame, { kind: "page" }>): Snapshot | undefined {
    this.#occupied.push(...page.occupied);
    if (page.position === undefined) return undefined;
    const snapshot = { position: page.position, occupied: this.#occupied };
    this.#occupied = [];
    return snapshot;
  }
}

/** Reads one snapshot of what is announced. @throws GateError */
export async function readSnapshot(request: Omit<StreamRequest, "after">): Promise<Snapshot> {
  const pages = new SnapshotPages();
  for await (const frames of occupancyStream({ ...request, after: undefined })) {
    for (const frame of frames) {
      const snapshot = frame.kind === "page" ? pages.add(frame) : undefined;
      if (snapshot !== undefined) return snapshot;
    }
  }
  throw new GateError("stream_failed", "the occupancy stream ended before its snapshot did");
}

/**
 * Makes the store say what the snapshot says, but where it knows something newer. Changes may be applied meanwhile.
 *
 * @param onDrain is given the channels that have something to drain
 */
export async function applySnapshot(
  store: Store,
  { position, occupied }: Snapshot,
  onDrain: (channels: readonly string[]) => void,
): Promise<void> {
  for (let at = 0; at < occupied.length; at += CHANNELS_AT_ONCE) {
    onDrain(await store.apply(occupied.slice(at, at + CHANNELS_AT_ONCE)));
  }
  // First the floor: an old change that comes now, of a channel that nobody remembers, would be taken for news.
  await store.raiseFloor(position);
  const present = new Set(occupied.map(({ channel }) => channel));
  for await (const channels of store.members()) {
    const absent = channels.filter((channel) => !present.has(channel));
    if (absent.length > 0) await store.removeAbsent(absent, position);
  }
}
