import type { Statements } from "./statements.ts";

/** "seeding" while what it is owed from the start is being written down. */
export type EndpointState = "seeding" | "ready" | "gone";

export interface EndpointRow {
  /** Stands for the endpoint in all other tables, and is never given twice. */
  readonly key: number;
  readonly appId: string;
  readonly endpointId: string;
  /** Where it led and what it wanted when it was last seen. */
  readonly shape: string;
  readonly state: EndpointState;
}

export interface LaneRow {
  readonly lane: number;
  /** Everything at or below it is done with. */
  readonly cursor: number;
  readonly isOwedDue: boolean;
  /** The batch that is being tried, as `batch-record.ts` has it. */
  readonly hand: string | undefined;
}

/** Endpoints, and how far their lanes are. */
export class EndpointTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  all(): EndpointRow[] {
    return this.#sql.all<EndpointRow>(
      "SELECT key, app_id AS appId, endpoint_id AS endpointId, shape, state FROM endpoints ORDER BY key",
    );
  }

  /** Returns its key. */
  add(appId: string, endpointId: string, shape: string): number {
    return this.#sql.insert(
      "INSERT INTO endpoints (app_id, endpoint_id, shape, state) VALUES (?, ?, ?, 'seeding')",
      appId,
      endpointId,
      shape,
    );
  }

  set(key: number, shape: string, state: EndpointState): void {
    this.#sql.run("UPDATE endpoints SET shape = ?, state = ? WHERE key = ?", shape, state, key);
  }

  setGone(key: number): void {
    this.#sql.run("UPDATE endpoints SET state = 'gone' WHERE key = ?", key);
  }

  /** Undefined where none is. */
  gone(): number | undefined {
    return this.#sql.all<{ key: number }>("SELECT key FROM endpoints WHERE state = 'gone' LIMIT 1")[0]?.key;
  }

  delete(key: number): void {
    this.#sql.run("DELETE FROM lanes WHERE endpoint = ?", key);
    this.#sql.run("DELETE FROM endpoints WHERE key = ?", key);
  }

  lanes(key: number): LaneRow[] {
    const rows = this.#sql.all<{ lane: number; cursor: number; is_owed_due: number; hand: string | null }>(
      "SELECT lane, cursor, is_owed_due, hand FROM lanes WHERE endpoint = ?",
      key,
    );
    return rows.map(({ lane, cursor, is_owed_due, hand }) => ({
      lane,
      cursor,
      isOwedDue: is_owed_due === 1,
      hand: hand ?? undefined,
    }));
  }

  putLane(key: number, { lane, cursor, isOwedDue, hand }: LaneRow): void {
    this.#sql.run(
      `INSERT INTO lanes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor,
        is_owed_due = excluded.is_owed_due, hand = excluded.hand`,
      key,
      lane,
      cursor,
      isOwedDue ? 1 : 0,
      hand ?? null,
    );
  }
}
