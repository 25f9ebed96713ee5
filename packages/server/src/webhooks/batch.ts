import type { StampedEvent, WebhookEvent } from "@earshot/protocol/webhook";
import type { OwedRow } from "./arrears-tables.ts";

/** Where a batch comes from: what follows in the outbox, what the endpoint is owed, what was asked for once more. */
export type Source = "log" | "owed" | "again";

/** One event on its way to an endpoint. */
export interface Item {
  readonly version: number;
  readonly occurredMs: number;
  readonly event: WebhookEvent;
  /** What it settles, where the endpoint is owed it. */
  readonly owed?: OwedRow;
}

/** Of events that have failed; by the monotonic clock. */
interface Failing {
  readonly sinceMs: number;
  /** The first of an unbroken row of refusals. */
  readonly refusedSinceMs: number | undefined;
}

/** What goes in one request, and how often it went. Its events, and so its id, are the same in each attempt. */
export interface Batch {
  readonly source: Source;
  readonly deliveryId: string;
  readonly items: readonly Item[];
  /** Those that go after it, each alone, because one of them all is poisonous. */
  readonly alone: readonly Item[];
  /** Unix milliseconds, as its body tells. */
  readonly timeMs: number;
  readonly attempts: number;
  /** Unix milliseconds; undefined before the first attempt. */
  readonly firstAttemptMs: number | undefined;
  /** By the monotonic clock: when the last attempt began, and the one before it. */
  readonly lastAttemptMs: number | undefined;
  readonly attemptBeforeMs: number | undefined;
  /** Events that go alone after their batch failed have failed for as long as that one. */
  readonly failing: Failing | undefined;
}

/** What is new about a batch that was not tried yet. */
interface Beginning {
  readonly deliveryId: string;
  readonly timeMs: number;
}

export function newBatch(source: Source, items: readonly Item[], beginning: Beginning): Batch {
  return {
    ...beginning,
    source,
    items,
    alone: [],
    attempts: 0,
    firstAttemptMs: undefined,
    lastAttemptMs: undefined,
    attemptBeforeMs: undefined,
    failing: undefined,
  };
}

/** The next one of events that go alone. Undefined where none is left. */
export function nextAlone(
  events: readonly Item[],
  { source, failing }: Batch,
  beginning: Beginning,
): Batch | undefined {
  const [item, ...alone] = events;
  return item === undefined ? undefined : { ...newBatch(source, [item], beginning), alone, failing };
}

const RENEWED_AFTER_MS = 240_000; // the python library refuses what is more than 5 minutes away from its clock

/** A batch as it is tried now. Its `time_ms` is that of its making, until that is too far away. */
export type TriedBatch = Batch & { readonly firstAttemptMs: number; readonly failing: Failing };

export function tried(batch: Batch, wallMs: number, nowMs: number): TriedBatch {
  const isFresh = Math.abs(wallMs - batch.timeMs) < RENEWED_AFTER_MS;
  return {
    ...batch,
    timeMs: isFresh ? batch.timeMs : wallMs,
    attempts: batch.attempts + 1,
    firstAttemptMs: batch.firstAttemptMs ?? wallMs,
    lastAttemptMs: nowMs,
    attemptBeforeMs: batch.lastAttemptMs,
    failing: batch.failing ?? { sinceMs: nowMs, refusedSinceMs: undefined },
  };
}

/** As everybody gets it: the same id, version and time, whoever is told. */
export function stamped(appId: string, { event, version, occurredMs }: Item): StampedEvent {
  return { ...event, id: `${appId}-${version}`, version, occurred_ms: occurredMs };
}

export function versionsOf(items: readonly Item[]): number[] {
  return items.map(({ version }) => version);
}

/** Those that a batch of the log has done with. */
export function lastVersion(items: readonly Item[]): number {
  return Math.max(0, ...versionsOf(items));
}
