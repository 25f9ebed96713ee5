import type { AttemptOutcome } from "./delivery-log.ts";
import type { Statements } from "./statements.ts";

export interface AttemptRow {
  readonly deliveryId: string;
  readonly attempt: number;
  readonly atMs: number;
  readonly versions: readonly number[];
  readonly signingKey: string;
  readonly request: string;
  readonly outcome: AttemptOutcome;
  readonly durationMs: number;
}

export interface AttemptSum {
  readonly endpoint: number;
  readonly count: number;
  readonly bytes: number;
}

interface Deleted {
  readonly endpoint: number;
  readonly size: number;
}

const ROW_BYTES = 200; // about what a row takes beside its texts

export class AttemptTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  /** Returns about how many bytes it takes. */
  add(endpoint: number, row: AttemptRow): number {
    const { outcome, request } = row;
    const response = outcome.answered ? outcome.response : null;
    const size = ROW_BYTES + request.length + (response ?? "").length;
    this.#sql.run(
      "INSERT INTO attempts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      endpoint,
      row.deliveryId,
      row.attempt,
      row.atMs,
      JSON.stringify(row.versions),
      row.signingKey,
      request,
      outcome.answered ? outcome.status : null,
      outcome.answered ? null : outcome.problem,
      response,
      row.durationMs,
      size,
    );
    return size;
  }

  sums(): AttemptSum[] {
    return this.#sql.all(
      "SELECT endpoint, count(*) AS count, sum(size) AS bytes FROM attempts GROUP BY endpoint",
    );
  }

  deleteOldest(endpoint: number, limit: number): Deleted[] {
    return this.#sql.all(
      `DELETE FROM attempts WHERE seq IN (SELECT seq FROM attempts WHERE endpoint = ? ORDER BY seq LIMIT ?)
        RETURNING endpoint, size`,
      endpoint,
      limit,
    );
  }

  /** Of the oldest, those from before a time. */
  deleteBefore(beforeMs: number, limit: number): Deleted[] {
    return this.#sql.all(
      `DELETE FROM attempts WHERE at_ms < ? AND seq IN (SELECT seq FROM attempts ORDER BY seq LIMIT ?)
        RETURNING endpoint, size`,
      beforeMs,
      limit,
    );
  }

  /** The bodies of one delivery's attempts, or of those made since a time; oldest first, above a row. */
  requests(
    endpoint: number,
    which: { readonly deliveryId?: string; readonly sinceMs?: number },
    afterSeq: number,
    limit: number,
  ): { seq: number; request: string }[] {
    return this.#sql.all(
      `SELECT seq, request FROM attempts WHERE endpoint = ?1 AND seq > ?2 AND (?3 IS NULL OR delivery_id = ?3)
        AND at_ms >= ?4 ORDER BY seq LIMIT ?5`,
      endpoint,
      afterSeq,
      which.deliveryId ?? null,
      which.sinceMs ?? 0,
      limit,
    );
  }
}
