import type { Arrears } from "./arrears.ts";
import { type Batch, type Item, lastVersion, stamped } from "./batch.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { DeliveryTables } from "./delivery-tables.ts";
import type { LaneRow } from "./endpoint-table.ts";
import type { LaneHost } from "./parts.ts";
import { subjectOf } from "./subject.ts";

const KEPT_DEAD_LETTERS = 100_000; // ours: of an endpoint, at the least

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
 * out of the log is owed its present state, after the lane's next success; what dies as an owed state stays owed, because
 * the receiver still has it wrong. False where it could not be written: then nothing has happened.
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
    if (batch.source === "again") settled = lane.arrears.settle(tables, batch.source, batch.items);
    dead -= forgetTooMany(tables, host, dead);
    tables.endpoints.putLane(key, lane.row(cursor));
  });
  if (!isWritten) return false;
  settled?.();
  tally.deadLetters += dead;
  if (owed > 0 || batch.source === "owed") lane.arrears.isOwedDue = false;
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
  const isNew = tables.deadLetters.put(host.key, {
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
  return (
    subject !== undefined && tables.owed.add(key, lane, { subject: subject, version: item.version }, wallMs)
  );
}

/** As many dead letters are kept as events may wait, or more: the newest ones. Returns how many had to go. */
export function forgetTooMany(
  tables: DeliveryTables,
  { key, tally, parts }: LaneHost,
  added: number,
): number {
  const excess = tally.deadLetters + added - Math.max(KEPT_DEAD_LETTERS, parts.settings.maxWaiting);
  return excess > 0 ? tables.deadLetters.deleteOldest(key, excess) : 0;
}
