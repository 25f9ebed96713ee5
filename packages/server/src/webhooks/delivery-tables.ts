import type { Database, SQLQueryBindings } from "bun:sqlite";
import type { AttemptOutcome, DeadReason, RedeliveryWish, SkippedEvent } from "./delivery-log.ts";

export type EndpointState = "seeding" | "ready" | "gone";

export interface EndpointRow {
  readonly key: number;
  readonly appId: string;
  readonly endpointId: string;
  readonly shape: string;
  readonly state: EndpointState;
}

export interface LaneRow {
  readonly lane: number;
  /** Everything at or below it is done with. */
  readonly cursor: number;
  readonly isOwedDue: boolean;
  /** The batch that is being tried, as `batch.ts` writes it. */
  readonly hand: string | undefined;
}

/** A subject whose present state an endpoint is to be told. */
export interface OwedRow {
  readonly subject: string;
  readonly version: number;
}

/** An event that was asked for once more. */
export interface AgainRow {
  readonly version: number;
  /** JSON. */
  readonly event: string;
}

/** How many rows of a kind a lane has, and since when. */
export interface LaneSum {
  readonly lane: number;
  readonly count: number;
  readonly sinceMs: number;
}

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

export interface DeadRow {
  readonly version: number;
  /** JSON. */
  readonly event: string;
  readonly diedMs: number;
  readonly reason: DeadReason;
  readonly deliveryId: string | undefined;
  readonly attempts: number;
  readonly problem: string;
}

export interface WishRow {
  readonly id: number;
  readonly appId: string;
  readonly endpointId: string;
  readonly wish: RedeliveryWish;
}

const ATTEMPT_BYTES = 200; // about what a row takes beside its texts

/** Every statement that the server runs on `deliveries.db`. Whoever calls decides about transactions. */
export class DeliveryTables {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  endpoints(): EndpointRow[] {
    return this.#all<EndpointRow>(
      "SELECT key, app_id AS appId, endpoint_id AS endpointId, shape, state FROM endpoints ORDER BY key",
    );
  }

  /** Returns its key. */
  addEndpoint(appId: string, endpointId: string, shape: string): number {
    return this.#insert(
      "INSERT INTO endpoints (app_id, endpoint_id, shape, state) VALUES (?, ?, ?, 'seeding')",
      appId,
      endpointId,
      shape,
    );
  }

  setEndpoint(key: number, shape: string, state: EndpointState): void {
    this.#run("UPDATE endpoints SET shape = ?, state = ? WHERE key = ?", shape, state, key);
  }

  setGone(key: number): void {
    this.#run("UPDATE endpoints SET state = 'gone' WHERE key = ?", key);
  }

  lanes(endpoint: number): LaneRow[] {
    return this.#all<{ lane: number; cursor: number; is_owed_due: number; hand: string | null }>(
      "SELECT lane, cursor, is_owed_due, hand FROM lanes WHERE endpoint = ?",
      endpoint,
    ).map((row) => ({
      lane: row.lane,
      cursor: row.cursor,
      isOwedDue: row.is_owed_due === 1,
      hand: row.hand ?? undefined,
    }));
  }

  putLane(endpoint: number, { lane, cursor, isOwedDue, hand }: LaneRow): void {
    this.#run(
      `INSERT INTO lanes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor,
        is_owed_due = excluded.is_owed_due, hand = excluded.hand`,
      endpoint,
      lane,
      cursor,
      isOwedDue ? 1 : 0,
      hand ?? null,
    );
  }

  /** Whether it was not owed before. */
  owe(endpoint: number, lane: number, subject: string, version: number, sinceMs: number): boolean {
    const added = this.#run(
      "INSERT OR IGNORE INTO owed VALUES (?, ?, ?, ?, ?)",
      endpoint,
      lane,
      subject,
      version,
      sinceMs,
    );
    if (added > 0) return true;
    this.#run(
      "UPDATE owed SET version = ? WHERE endpoint = ? AND lane = ? AND subject = ? AND version < ?",
      version,
      endpoint,
      lane,
      subject,
      version,
    );
    return false;
  }

  /** Those that were owed first by their versions. */
  owed(endpoint: number, lane: number, limit: number): OwedRow[] {
    return this.#all<OwedRow>(
      "SELECT subject, version FROM owed WHERE endpoint = ? AND lane = ? ORDER BY version LIMIT ?",
      endpoint,
      lane,
      limit,
    );
  }

  /** Unless it is owed under a newer version by now. Returns how many rows that were: 1 or 0. */
  forgetOwed(endpoint: number, lane: number, { subject, version }: OwedRow): number {
    return this.#run(
      "DELETE FROM owed WHERE endpoint = ? AND lane = ? AND subject = ? AND version <= ?",
      endpoint,
      lane,
      subject,
      version,
    );
  }

  owedSums(endpoint: number): LaneSum[] {
    return this.#all<LaneSum>(
      "SELECT lane, count(*) AS count, min(since_ms) AS sinceMs FROM owed WHERE endpoint = ? GROUP BY lane",
      endpoint,
    );
  }

  /** Whether it was not asked for before. */
  addAgain(endpoint: number, lane: number, { version, event }: AgainRow, sinceMs: number): boolean {
    return (
      this.#run(
        "INSERT OR IGNORE INTO again VALUES (?, ?, ?, ?, ?)",
        endpoint,
        lane,
        version,
        event,
        sinceMs,
      ) > 0
    );
  }

  again(endpoint: number, lane: number, limit: number): AgainRow[] {
    return this.#all<AgainRow>(
      "SELECT version, event FROM again WHERE endpoint = ? AND lane = ? ORDER BY version LIMIT ?",
      endpoint,
      lane,
      limit,
    );
  }

  forgetAgain(endpoint: number, lane: number, version: number): number {
    return this.#run(
      "DELETE FROM again WHERE endpoint = ? AND lane = ? AND version = ?",
      endpoint,
      lane,
      version,
    );
  }

  againSums(endpoint: number): LaneSum[] {
    return this.#all<LaneSum>(
      "SELECT lane, count(*) AS count, min(since_ms) AS sinceMs FROM again WHERE endpoint = ? GROUP BY lane",
      endpoint,
    );
  }

  /** Whether it was no dead letter before. */
  addDeadLetter(endpoint: number, row: DeadRow): boolean {
    const isNew =
      this.#run("DELETE FROM dead_letters WHERE endpoint = ? AND version = ?", endpoint, row.version) === 0;
    this.#run(
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

  /** Those above a version that died at a time or later, in order of version. */
  deadLetters(endpoint: number, after: number, sinceMs: number, limit: number): AgainRow[] {
    return this.#all<AgainRow>(
      `SELECT version, event FROM dead_letters WHERE endpoint = ? AND version > ? AND died_ms >= ?
        ORDER BY version LIMIT ?`,
      endpoint,
      after,
      sinceMs,
      limit,
    );
  }

  forgetDeadLetter(endpoint: number, version: number): number {
    return this.#run("DELETE FROM dead_letters WHERE endpoint = ? AND version = ?", endpoint, version);
  }

  forgetOldestDeadLetters(endpoint: number, count: number): number {
    return this.#run(
      `DELETE FROM dead_letters WHERE endpoint = ?1 AND version IN
        (SELECT version FROM dead_letters WHERE endpoint = ?1 ORDER BY version LIMIT ?2)`,
      endpoint,
      count,
    );
  }

  deadLetterCount(endpoint: number): number {
    return this.#count("SELECT count(*) AS count FROM dead_letters WHERE endpoint = ?", endpoint);
  }

  /** Returns about how many bytes it takes. */
  addAttempt(endpoint: number, row: AttemptRow): number {
    const { outcome } = row;
    const response = outcome.answered ? outcome.response : null;
    const problem = outcome.answered ? null : outcome.problem;
    const size = ATTEMPT_BYTES + row.request.length + (response ?? "").length;
    this.#run(
      "INSERT INTO attempts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      endpoint,
      row.deliveryId,
      row.attempt,
      row.atMs,
      JSON.stringify(row.versions),
      row.signingKey,
      row.request,
      outcome.answered ? outcome.status : null,
      problem,
      response,
      row.durationMs,
      size,
    );
    return size;
  }

  attemptSums(): { endpoint: number; count: number; bytes: number }[] {
    return this.#all(
      "SELECT endpoint, count(*) AS count, sum(size) AS bytes FROM attempts GROUP BY endpoint",
    );
  }

  /** The sizes of those that went. */
  forgetOldestAttempts(endpoint: number, count: number): { endpoint: number; size: number }[] {
    return this.#all(
      `DELETE FROM attempts WHERE seq IN (SELECT seq FROM attempts WHERE endpoint = ? ORDER BY seq LIMIT ?)
        RETURNING endpoint, size`,
      endpoint,
      count,
    );
  }

  /** Of the oldest, those from before a time. */
  forgetAttemptsBefore(beforeMs: number, limit: number): { endpoint: number; size: number }[] {
    return this.#all(
      `DELETE FROM attempts WHERE at_ms < ? AND seq IN (SELECT seq FROM attempts ORDER BY seq LIMIT ?)
        RETURNING endpoint, size`,
      beforeMs,
      limit,
    );
  }

  /** The bodies of the attempts of one delivery, or of those made since a time; oldest first, above a row. */
  requests(
    endpoint: number,
    which: { readonly deliveryId?: string; readonly sinceMs?: number },
    afterSeq: number,
    limit: number,
  ): { seq: number; request: string }[] {
    return this.#all(
      `SELECT seq, request FROM attempts WHERE endpoint = ?1 AND seq > ?2 AND (?3 IS NULL OR delivery_id = ?3)
        AND at_ms >= ?4 ORDER BY seq LIMIT ?5`,
      endpoint,
      afterSeq,
      which.deliveryId ?? null,
      which.sinceMs ?? 0,
      limit,
    );
  }

  /** What nobody has looked at yet, oldest first. */
  nextWish(): WishRow | undefined {
    const [row] = this.#all<{
      id: number;
      appId: string;
      endpointId: string;
      what: RedeliveryWish["what"];
      deliveryId: string | null;
      sinceMs: number | null;
    }>(
      `SELECT id, app_id AS appId, endpoint_id AS endpointId, what, delivery_id AS deliveryId, since_ms AS sinceMs
        FROM redeliveries WHERE state = 'asked' ORDER BY id LIMIT 1`,
    );
    if (row === undefined) return undefined;
    const { id, appId, endpointId, what, deliveryId, sinceMs } = row;
    const target = { id, appId, endpointId };
    if (what === "delivery") return { ...target, wish: { what, deliveryId: deliveryId ?? "" } };
    if (what === "since") return { ...target, wish: { what, sinceMs: sinceMs ?? 0 } };
    return { ...target, wish: { what } };
  }

  answerWish(id: number, events: number, skipped: number, list: readonly SkippedEvent[]): void {
    this.#run(
      "UPDATE redeliveries SET state = 'answered', events = ?, skipped = ?, skipped_list = ? WHERE id = ?",
      events,
      skipped,
      JSON.stringify(list),
      id,
    );
  }

  refuseWish(id: number, problem: string): void {
    this.#run("UPDATE redeliveries SET state = 'refused', problem = ? WHERE id = ?", problem, id);
  }

  forgetWishesUpTo(id: number): void {
    this.#run("DELETE FROM redeliveries WHERE id <= ? AND state <> 'asked'", id);
  }

  /** Grows when another process has written. */
  foreignWrites(): number {
    return this.#all<{ data_version: number }>("PRAGMA data_version")[0]?.data_version ?? 0; // there is always a row
  }

  /** Deletes some of what is left of endpoints that are gone. False where nothing is left. */
  clearGone(limit: number): boolean {
    const [gone] = this.#all<{ key: number }>("SELECT key FROM endpoints WHERE state = 'gone' LIMIT 1");
    if (gone === undefined) return false;
    const { key } = gone;
    const cleared =
      this.forgetOldestAttempts(key, limit).length +
      this.forgetOldestDeadLetters(key, limit) +
      this.#run(
        `DELETE FROM owed WHERE endpoint = ?1 AND (lane, subject) IN
          (SELECT lane, subject FROM owed WHERE endpoint = ?1 LIMIT ?2)`,
        key,
        limit,
      ) +
      this.#run(
        `DELETE FROM again WHERE endpoint = ?1 AND (lane, version) IN
          (SELECT lane, version FROM again WHERE endpoint = ?1 LIMIT ?2)`,
        key,
        limit,
      );
    if (cleared > 0) return true;
    this.#run("DELETE FROM lanes WHERE endpoint = ?", key);
    this.#run("DELETE FROM endpoints WHERE key = ?", key);
    return true;
  }

  #all<Row>(sql: string, ...bindings: SQLQueryBindings[]): Row[] {
    return this.#db.query<Row, SQLQueryBindings[]>(sql).all(...bindings);
  }

  #count(sql: string, ...bindings: SQLQueryBindings[]): number {
    return this.#all<{ count: number }>(sql, ...bindings)[0]?.count ?? 0; // an aggregate has always one row
  }

  #run(sql: string, ...bindings: SQLQueryBindings[]): number {
    return this.#db.query<unknown, SQLQueryBindings[]>(sql).run(...bindings).changes;
  }

  #insert(sql: string, ...bindings: SQLQueryBindings[]): number {
    return Number(this.#db.query<unknown, SQLQueryBindings[]>(sql).run(...bindings).lastInsertRowid);
  }
}
