import { LANES } from "#core/lane";
import { type ArrearSums, NO_ARREARS } from "./arrears.ts";
import type { EndpointRow, LaneRow } from "./endpoint-table.ts";
import { breathe, type WebhooksParts } from "./parts.ts";
import { newLanes } from "./seeding.ts";

const UNREADABLE_MS = 1_000; // ours: until the store is asked again

/** What the store knows of an endpoint. */
export interface KnownLanes {
  /** One for each lane, within what the outbox still has. */
  readonly lanes: readonly KnownLane[];
  /** False where positions were missing, or lay outside of what the outbox has: then something may have been missed. */
  readonly isWhole: boolean;
  readonly deadLetters: number;
}

export interface KnownLane {
  readonly row: LaneRow;
  readonly sums: ArrearSums;
}

/** Undefined where it was overtaken. */
export async function readLanes(
  { store, outbox, later }: WebhooksParts,
  { key, appId }: EndpointRow,
  headNow: () => number,
  isOver: () => boolean,
): Promise<KnownLanes | undefined> {
  const horizon = await outbox.horizon(appId);
  while (!isOver()) {
    const known = store.read((tables) => ({
      rows: tables.endpoints.lanes(key),
      owed: tables.owed.sums(key),
      again: tables.again.sums(key),
      deadLetters: tables.deadLetters.count(key),
    }));
    if (known !== undefined) {
      const { rows, isWhole } = fitted(known.rows, horizon, headNow());
      const { owed, again } = NO_ARREARS;
      const lanes = rows.map((row) => {
        const isOwn = ({ lane }: { readonly lane: number }) => lane === row.lane;
        const sums = { owed: known.owed.find(isOwn) ?? owed, again: known.again.find(isOwn) ?? again };
        return { row, sums: { ...sums, isOwedDue: row.isOwedDue } };
      });
      return { lanes, isWhole, deadLetters: known.deadLetters };
    }
    await breathe(later, UNREADABLE_MS);
  }
  return undefined;
}

/** Positions as the outbox can serve them. */
function fitted(found: readonly LaneRow[], horizon: number, head: number) {
  const isWhole = found.length === LANES && found.every(({ cursor }) => cursor >= horizon && cursor <= head);
  const lowest = Math.min(head, ...found.map(({ cursor }) => cursor));
  const rows = newLanes(lowest).map((row) => {
    const { cursor, ...rest } = found.find(({ lane }) => lane === row.lane) ?? row;
    return { ...rest, cursor: Math.min(Math.max(cursor, horizon), Math.max(head, horizon)) };
  });
  return { rows, isWhole };
}
