import type { KeptEvent } from "./arrears-tables.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { Statements } from "./statements.ts";

export interface DeadLetterRow extends KeptEvent {
  readonly diedMs: number;
  readonly reason: DeadReason;
  readonly deliveryId: string | undefined;
  readonly attempts: number;
  readonly problem: string;
}

export class DeadLetterTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  /** Whether it was no dead letter before. */
  put(endpoint: number, row: DeadLetterRow): boolean {
    const isNew = this.delete(endpoint, row.version) === 0;
    this.#sql.run(
      "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      endpoint,
      row.version,
      row.event,
      row.diedMs,
      row.reason,
      row.deliveryId ?? null,
      row.attempts,
      row.problem,
    );
    return isNew;
  }

  /** Those above a version that died at a time or later, lowest version first. */
  after(endpoint: number, version: number, sinceMs: number, limit: number): KeptEvent[] {
    return this.#sql.all<KeptEvent>(
      `SELECT version, event FROM dead_letters WHERE endpoint = ? AND version > ? AND died_ms >= ?
        ORDER BY version LIMIT ?`,
      endpoint,
      version,
      sinceMs,
      limit,
    );
  }

  count(endpoint: number): number {
    return this.#sql.count("SELECT count(*) AS count FROM dead_letters WHERE endpoint = ?", endpoint);
  }

  /** Returns how many rows that were: 1 or 0. */
  delete(endpoint: number, version: number): number {
    return this.#sql.run("DELETE FROM dead_letters WHERE endpoint = ? AND version = ?", endpoint, version);
  }

  /** Returns how many that were. */
  deleteOldest(endpoint: number, limit: number): number {
    return this.#sql.run(
      `DELETE FROM dead_letters WHERE endpoint = ?1 AND version IN
        (SELECT version FROM dead_letters WHERE endpoint = ?1 ORDER BY version LIMIT ?2)`,
      endpoint,
      limit,
    );
  }
}
