import type { RedeliveryWish, SkippedEvent } from "./delivery-log.ts";
import type { Statements } from "./statements.ts";

/** What somebody has asked for. */
export interface WishRow {
  readonly id: number;
  readonly appId: string;
  readonly endpointId: string;
  readonly wish: RedeliveryWish;
}

interface Asked {
  readonly id: number;
  readonly appId: string;
  readonly endpointId: string;
  readonly what: RedeliveryWish["what"];
  readonly deliveryId: string | null;
  readonly sinceMs: number | null;
}

export class WishTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  /** The oldest that nobody has looked at yet. */
  next(): WishRow | undefined {
    const [asked] = this.#sql.all<Asked>(
      `SELECT id, app_id AS appId, endpoint_id AS endpointId, what, delivery_id AS deliveryId, since_ms AS sinceMs
        FROM redeliveries WHERE state = 'asked' ORDER BY id LIMIT 1`,
    );
    if (asked === undefined) return undefined;
    const { id, appId, endpointId } = asked;
    return { id, appId, endpointId, wish: wishOf(asked) };
  }

  answer(id: number, events: number, skipped: number, list: readonly SkippedEvent[]): void {
    this.#sql.run(
      "UPDATE redeliveries SET state = 'answered', events = ?, skipped = ?, skipped_list = ? WHERE id = ?",
      events,
      skipped,
      JSON.stringify(list),
      id,
    );
  }

  refuse(id: number, problem: string): void {
    this.#sql.run("UPDATE redeliveries SET state = 'refused', problem = ? WHERE id = ?", problem, id);
  }

  /** Those that were answered, up to a number. */
  deleteUpTo(id: number): void {
    this.#sql.run("DELETE FROM redeliveries WHERE id <= ? AND state <> 'asked'", id);
  }
}

function wishOf({ what, deliveryId, sinceMs }: Asked): RedeliveryWish {
  switch (what) {
    case "delivery":
      return { what, deliveryId: deliveryId ?? "" };
    case "since":
      return { what, sinceMs: sinceMs ?? 0 };
    case "dead":
      return sinceMs === null ? { what } : { what, sinceMs };
  }
}
