/**
 * What a person may see of deliveries, and ask for: the part of `deliveries.db` that the command line and the dashboard
 * use, also from another process while the server runs.
 */
import type { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { WebhookName } from "@earshot/protocol/webhook";
import { openDeliveryFile } from "./delivery-file.ts";

/** One request that was made: one attempt of a delivery. */
export interface Attempt {
  readonly deliveryId: string;
  readonly appId: string;
  readonly endpointId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  /** Of its events, in their order; an event's id is APPID-VERSION. */
  readonly versions: readonly number[];
  /** Whose secret signed it. */
  readonly signingKey: string;
  /** The body, to the byte. */
  readonly request: string;
  readonly outcome: AttemptOutcome;
  readonly durationMs: number;
}

/** A 2xx status is success. `response` is the first 4 KB. */
export type AttemptOutcome =
  | { readonly answered: true; readonly status: number; readonly response: string }
  | { readonly answered: false; readonly problem: string };

export interface AttemptQuery {
  readonly appId: string;
  readonly endpointId?: string;
  /** Only where the attempt was no success. */
  readonly onlyFailed?: boolean;
  /** Unix milliseconds. */
  readonly sinceMs?: number;
  readonly limit: number;
}

/**
 * Why an event is a dead letter. "refused": its receiver answered 4xx for too long. "failing": it failed for too long
 * while others arrived. "gave up": nothing arrived for a whole day. "too many waited".
 */
export type DeadReason = "refused" | "failing" | "gave up" | "too many waited";

/** An event that is no longer tried. */
export interface DeadLetter {
  readonly appId: string;
  readonly endpointId: string;
  /** APPID-VERSION. */
  readonly eventId: string;
  readonly version: number;
  readonly diedMs: number;
  readonly reason: DeadReason;
  /** The delivery that it died in; undefined where it was never tried. */
  readonly deliveryId: string | undefined;
  readonly attempts: number;
  /** What the last attempt met with; empty where it was never tried. */
  readonly problem: string;
  /** The event as JSON, as its receiver was to get it. */
  readonly eventJson: string;
}

export type RedeliveryWish =
  /** The events of one delivery. */
  | { readonly what: "delivery"; readonly deliveryId: string }
  /** What the endpoint was told since then, as far as log and outbox reach back, and its dead letters since then. */
  | { readonly what: "since"; readonly sinceMs: number }
  /** Its dead letters: all, or those that died at a time or later. */
  | { readonly what: "dead"; readonly sinceMs?: number };

/**
 * Why an event is not sent again. "superseded": the channel or member has a newer state, which the endpoint was or will
 * be told. "waiting": it was not delivered yet and will be anyway. "unwanted": the endpoint does not want it any more.
 */
export type SkipReason = "superseded" | "waiting" | "unwanted";

export interface SkippedEvent {
  readonly eventId: string;
  readonly name: WebhookName;
  readonly channel: string;
  readonly userId?: string;
  readonly reason: SkipReason;
}

/** What the server made of a wish. */
export type RedeliveryAnswer =
  /** No server has looked at it yet: a running one does within a second. */
  | { readonly state: "asked" }
  | {
      readonly state: "answered";
      /** That are on their way again, in the order of their versions. */
      readonly events: number;
      readonly skipped: number;
      /** The first thousand of those. */
      readonly skippedEvents: readonly SkippedEvent[];
    }
  | { readonly state: "refused"; readonly problem: string };

const PATIENCE_MS = 5_000; // ours: the server writes for milliseconds

interface AttemptRow {
  delivery_id: string;
  app_id: string;
  endpoint_id: string;
  attempt: number;
  at_ms: number;
  versions: string;
  signing_key: string;
  request: string;
  status: number | null;
  problem: string | null;
  response: string | null;
  duration_ms: number;
}

interface DeadRow {
  app_id: string;
  endpoint_id: string;
  version: number;
  event: string;
  died_ms: number;
  reason: DeadReason;
  delivery_id: string | null;
  attempts: number;
  problem: string;
}

interface RedeliveryRow {
  state: "asked" | "answered" | "refused";
  problem: string | null;
  events: number;
  skipped: number;
  skipped_list: string;
}

export class DeliveryLog {
  readonly #db: Database;

  /**
   * Undefined where no server has made the file yet: there were no deliveries then.
   *
   * @throws DeliveryFileProblem
   */
  static open(file: string): DeliveryLog | undefined {
    return existsSync(file) ? new DeliveryLog(openDeliveryFile(file, PATIENCE_MS)) : undefined;
  }

  private constructor(db: Database) {
    this.#db = db;
  }

  /** Newest first. */
  attempts({ appId, endpointId, onlyFailed = false, sinceMs = 0, limit }: AttemptQuery): Attempt[] {
    return this.#db
      .query<AttemptRow, [string, string | null, number, number, number]>(
        `SELECT attempts.*, app_id, endpoint_id FROM attempts JOIN endpoints ON key = endpoint
          WHERE app_id = ?1 AND state <> 'gone' AND (?2 IS NULL OR endpoint_id = ?2) AND at_ms >= ?3
            AND (?4 = 0 OR status IS NULL OR status NOT BETWEEN 200 AND 299)
          ORDER BY seq DESC LIMIT ?5`,
      )
      .all(appId, endpointId ?? null, sinceMs, onlyFailed ? 1 : 0, limit)
      .map(attemptOf);
  }

  /** The attempts of one delivery that are still in the log, first one first; none where the id is unknown. */
  delivery(deliveryId: string): Attempt[] {
    return this.#db
      .query<AttemptRow, [string]>(
        `SELECT attempts.*, app_id, endpoint_id FROM attempts JOIN endpoints ON key = endpoint
          WHERE delivery_id = ? AND state <> 'gone' ORDER BY attempt`,
      )
      .all(deliveryId)
      .map(attemptOf);
  }

  /** Newest first. */
  deadLetters(query: { appId: string; endpointId?: string; limit: number }): DeadLetter[] {
    return this.#db
      .query<DeadRow, [string, string | null, number]>(
        `SELECT dead_letters.*, app_id, endpoint_id FROM dead_letters JOIN endpoints ON key = endpoint
          WHERE app_id = ?1 AND state <> 'gone' AND (?2 IS NULL OR endpoint_id = ?2) ORDER BY version DESC LIMIT ?3`,
      )
      .all(query.appId, query.endpointId ?? null, query.limit)
      .map(deadLetterOf);
  }

  /** Writes the wish down for the server, and returns the number to ask with for what it made of it. */
  requestRedelivery(
    target: { readonly appId: string; readonly endpointId: string },
    wish: RedeliveryWish,
    nowMs: number,
  ): number {
    const deliveryId = wish.what === "delivery" ? wish.deliveryId : null;
    const sinceMs = wish.what === "delivery" ? null : (wish.sinceMs ?? null);
    const { lastInsertRowid } = this.#db
      .query(
        `INSERT INTO redeliveries (app_id, endpoint_id, what, delivery_id, since_ms, asked_ms, state)
          VALUES (?, ?, ?, ?, ?, ?, 'asked')`,
      )
      .run(target.appId, target.endpointId, wish.what, deliveryId, sinceMs, nowMs);
    return Number(lastInsertRowid);
  }

  /** Undefined for a number that was never given, or is long past. */
  redelivery(id: number): RedeliveryAnswer | undefined {
    const row = this.#db
      .query<RedeliveryRow, [number]>(
        "SELECT state, problem, events, skipped, skipped_list FROM redeliveries WHERE id = ?",
      )
      .get(id);
    if (row === null) return undefined;
    const { state, problem, events, skipped, skipped_list } = row;
    if (state === "asked") return { state };
    if (state === "refused") return { state, problem: problem ?? "" };
    return { state, events, skipped, skippedEvents: JSON.parse(skipped_list) }; // as the server wrote it
  }

  /** Takes a wish back that no server has looked at. */
  withdraw(id: number): void {
    this.#db.query("DELETE FROM redeliveries WHERE id = ? AND state = 'asked'").run(id);
  }

  close(): void {
    this.#db.close();
  }
}

function attemptOf(row: AttemptRow): Attempt {
  return {
    deliveryId: row.delivery_id,
    appId: row.app_id,
    endpointId: row.endpoint_id,
    attempt: row.attempt,
    atMs: row.at_ms,
    versions: JSON.parse(row.versions), // as the server wrote it
    signingKey: row.signing_key,
    request: row.request,
    outcome:
      row.status === null
        ? { answered: false, problem: row.problem ?? "" }
        : { answered: true, status: row.status, response: row.response ?? "" },
    durationMs: row.duration_ms,
  };
}

function deadLetterOf(row: DeadRow): DeadLetter {
  return {
    appId: row.app_id,
    endpointId: row.endpoint_id,
    eventId: `${row.app_id}-${row.version}`,
    version: row.version,
    diedMs: row.died_ms,
    reason: row.reason,
    deliveryId: row.delivery_id ?? undefined,
    attempts: row.attempts,
    problem: row.problem,
    eventJson: row.event,
  };
}
