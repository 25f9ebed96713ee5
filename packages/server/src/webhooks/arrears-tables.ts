import type { Statements } from "./statements.ts";

/** How many rows a lane has, and since when, in unix milliseconds. */
export interface LaneSum {
  readonly lane: number;
  readonly count: number;
  readonly sinceMs: number;
}

/** A channel or member whose present state an endpoint is to be told, and the version that it was owed for. */
export interface OwedRow {
  /** CHANNEL or CHANNEL/USER. */
  readonly subject: string;
  readonly version: number;
}

export class OwedTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  /** Whether it was not owed before. */
  add(endpoint: number, lane: number, { subject, version }: OwedRow, sinceMs: number): boolean {
    const added = this.#sql.run(
      "INSERT OR IGNORE INTO owed VALUES (?, ?, ?, ?, ?)",
      endpoint,
      lane,
      subject,
      version,
      sinceMs,
    );
    if (added > 0) return true;
    this.#sql.run(
      "UPDATE owed SET version = ?4 WHERE endpoint = ?1 AND lane = ?2 AND subject = ?3 AND version < ?4",
      endpoint,
      lane,
      subject,
      version,
    );
    return false;
  }

  /** Lowest version first. */
  first(endpoint: number, lane: number, limit: number): OwedRow[] {
    return this.#sql.all<OwedRow>(
      "SELECT subject, version FROM owed WHERE endpoint = ? AND lane = ? ORDER BY version LIMIT ?",
      endpoint,
      lane,
      limit,
    );
  }

  /** Unless it is owed for a newer version by now. Returns how many rows that were: 1 or 0. */
  delete(endpoint: number, lane: number, { subject, version }: OwedRow): number {
    return this.#sql.run(
      "DELETE FROM owed WHERE endpoint = ? AND lane = ? AND subject = ? AND version <= ?",
      endpoint,
      lane,
      subject,
      version,
    );
  }

  sums(endpoint: number): LaneSum[] {
    return this.#sql.all<LaneSum>(
      "SELECT lane, count(*) AS count, min(since_ms) AS sinceMs FROM owed WHERE endpoint = ? GROUP BY lane",
      endpoint,
    );
  }

  /** Some of them. Returns how many that were. */
  deleteSome(endpoint: number, limit: number): number {
    return this.#sql.run(
      `DELETE FROM owed WHERE endpoint = ?1 AND (lane, subject) IN
        (SELECT lane, subject FROM owed WHERE endpoint = ?1 LIMIT ?2)`,
      endpoint,
      limit,
    );
  }
}

/** An event that is kept as it was, or is to be, sent. */
export interface KeptEvent {
  readonly version: number;
  /** JSON. */
  readonly event: string;
}

/** Events that were asked for once more. */
export class AgainTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  /** Whether it was not asked for before. */
  add(endpoint: number, lane: number, { version, event }: KeptEvent, sinceMs: number): boolean {
    const added = this.#sql.run(
      "INSERT OR IGNORE INTO again VALUES (?, ?, ?, ?, ?)",
      endpoint,
      lane,
      version,
      event,
      sinceMs,
    );
    return added > 0;
  }

  /** Lowest version first. */
  first(endpoint: number, lane: number, limit: number): KeptEvent[] {
    return this.#sql.all<KeptEvent>(
      "SELECT version, event FROM again WHERE endpoint = ? AND lane = ? ORDER BY version LIMIT ?",
      endpoint,
      lane,
      limit,
    );
  }

  /** Returns how many rows that were: 1 or 0. */
  delete(endpoint: number, lane: number, version: number): number {
    return this.#sql.run(
      "DELETE FROM again WHERE endpoint = ? AND lane = ? AND version = ?",
      endpoint,
      lane,
      version,
    );
  }

  sums(endpoint: number): LaneSum[] {
    return this.#sql.all<LaneSum>(
      "SELECT lane, count(*) AS count, min(since_ms) AS sinceMs FROM again WHERE endpoint = ? GROUP BY lane",
      endpoint,
    );
  }

  /** Some of them. Returns how many that were. */
  deleteSome(endpoint: number, limit: number): number {
    return this.#sql.run(
      `DELETE FROM again WHERE endpoint = ?1 AND (lane, version) IN
        (SELECT lane, version FROM again WHERE endpoint = ?1 LIMIT ?2)`,
      endpoint,
      limit,
    );
  }
}
