import type { Arrears } from "./arrears.ts";
import { type Batch, type Item, lastVersion, stamped } from "./batch.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { DeliveryTables, LaneRow } from "./delivery-tables.ts";
import type { LaneHost } from "./parts.ts";
import { subjectOf } from "./subject.ts";

const MAX_DEAD_LETTERS = 100_000; // ours: an endpoint; the oldest go first

/** Why events are given up, and what the last attempt met with. */
export interface Death {
  readonly reason: DeadReason;
  readonly problem: string;
}

interface BuryingLane {
  readonly number: number;
  readonly arrears: Arrears;
  row(cursor?: number): LaneRow;
}

/**
 * Makes dead letters of a batch, as one step with the lane's position. A channel or member whose event dies on its way
 * out of the log is owed its present state, after the lane's next success. False where it could not be written: then
 * nothing has happened.
 */
export function bury(host: LaneHost, lane: BuryingLane, batch: Batch, death: Death): boolean {
  const { parts, key, tally } = host;
  const wallMs = parts.clock.wallMs();
  const isLogged = batch.source === "log";
  const cursor = isLogged ? lastVersion(batch.items) : undefined;
  let [dead, owed] = [0, 0];
  let settled: (() => void) | undefined;
  const isWritten = parts.store.write((tables) => {
    [dead, owed] = [0, 0];
    for (const item of batch.items) {
      dead += addDeadLetter(tables, host, item, death, batch);
      if (isLogged && owe(tables, key, lane.number, item, wallMs)) owed++;
    }
    if (!isLogged) settled = lane.arrears.settle(tables, batch.source, batch.items);
    dead -= forgetTooMany(tables, key, tally.deadLetters + dead);
    tables.putLane(key, lane.row(cursor));
  });
  if (!isWritten) return false;
  settled?.();
  tally.deadLetters += dead;
  if (owed > 0) lane.arrears.isOwedDue = false;
  lane.arrears.owe(owed, wallMs);
  host.buried(batch.items.length, death.reason, batch.deliveryId, death.problem);
  return true;
}

/** 1, or 0 where it was a dead letter before. */
export function addDeadLetter(
  tables: DeliveryTables,
  host: LaneHost,
  item: Item,
  { reason, problem }: Death,
  batch?: Batch,
): number {
  const isNew = tables.addDeadLetter(host.key, {
    version: item.version,
    event: JSON.stringify(stamped(host.app.id, item)),
    diedMs: host.parts.clock.wallMs(),
    reason,
    deliveryId: batch?.deliveryId,
    attempts: batch?.attempts ?? 0,
    problem,
  });
  return isNew ? 1 : 0;
}

/** Whether it was not owed before. */
export function owe(tables: DeliveryTables, key: number, lane: number, item: Item, wallMs: number): boolean {
  const subject = subjectOf(item.event);
  return subject !== undefined && tables.owe(key, lane, subject, item.version, wallMs);
}

/** Returns how many those were. */
export function forgetTooMany(tables: DeliveryTables, key: number, count: number): number {
  return count > MAX_DEAD_LETTERS ? tables.forgetOldestDeadLetters(key, count - MAX_DEAD_LETTERS) : 0;
}
