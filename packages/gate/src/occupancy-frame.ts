import type { Change } from "./change.ts";
import { GateError } from "./gate-error.ts";
import type { StreamEvent } from "./sse.ts";

/** What the occupancy stream tells. */
export type OccupancyFrame =
  /** A page of a snapshot. The last one has the position, and completes it. */
  | { readonly kind: "page"; readonly occupied: readonly Change[]; readonly position: number | undefined }
  | { readonly kind: "change"; readonly change: Change }
  /** Nothing else changed up to here. */
  | { readonly kind: "position"; readonly position: number };

/** @throws GateError for an event that is not as documented; undefined for one of a kind that is not known */
export function readFrame({ event, data, id }: StreamEvent): OccupancyFrame | undefined {
  switch (event) {
    case "snapshot":
      return readPage(objectIn(data), id);
    case "occupied":
    case "vacated":
      return { kind: "change", change: readChange(objectIn(data), event === "occupied") };
    case "heartbeat":
      return id === undefined ? undefined : { kind: "position", position: version(id) };
    default:
      return undefined;
  }
}

function readPage(page: object, id: string | undefined): OccupancyFrame {
  const rows: unknown = Reflect.get(page, "channels");
  if (!Array.isArray(rows)) throw unreadable("a page of its snapshot has no channels");
  const occupied = rows.map((row: unknown): Change => {
    if (typeof row !== "object" || row === null) throw unreadable("a channel of its snapshot is no object");
    return { ...readChange(row, true), isFromSnapshot: true };
  });
  const isLast = Reflect.get(page, "last") === true;
  if (isLast && id === undefined) throw unreadable("the last page of its snapshot has no id");
  return { kind: "page", occupied, position: isLast && id !== undefined ? version(id) : undefined };
}

function readChange(row: object, isOccupied: boolean): Change {
  const channel: unknown = Reflect.get(row, "channel");
  const count: unknown = Reflect.get(row, "count");
  if (typeof channel !== "string") throw unreadable("a change names no channel");
  return {
    channel,
    isOccupied,
    version: version(Reflect.get(row, "version")),
    occurredMs: version(Reflect.get(row, "occurred_ms")),
    ...(typeof count === "number" ? { count } : {}),
  };
}

function version(value: unknown): number {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw unreadable(`${JSON.stringify(value)} stands where a whole number belongs`);
}

function objectIn(data: string): object {
  try {
    const read: unknown = JSON.parse(data);
    if (typeof read === "object" && read !== null) return read;
  } catch (error) {
    throw unreadable(`its data is no JSON (${String(error)})`);
  }
  throw unreadable("its data is no object");
}

function unreadable(why: string): GateError {
  return new GateError("stream_failed", `the occupancy stream cannot be read: ${why}`);
}
