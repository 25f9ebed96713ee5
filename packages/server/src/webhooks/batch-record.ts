import { type Batch, type Item, type Source, versionsOf } from "./batch.ts";

/** What survives a restart of a batch that was tried. Times become durations, because the monotonic clock begins anew. */
export interface BatchRecord {
  readonly source: Source;
  readonly deliveryId: string;
  readonly versions: readonly number[];
  readonly alone: readonly number[];
  readonly timeMs: number;
  readonly attempts: number;
  readonly firstAttemptMs: number | undefined;
  readonly failedForMs: number;
  readonly refusedForMs: number | undefined;
}

const SOURCES: readonly Source[] = ["log", "owed", "again"];

/** Undefined where nothing is to be remembered, because it never failed. */
export function recordOf(batch: Batch, nowMs: number): BatchRecord | undefined {
  const { failing } = batch;
  if (failing === undefined) return undefined;
  return {
    source: batch.source,
    deliveryId: batch.deliveryId,
    versions: versionsOf(batch.items),
    alone: versionsOf(batch.alone),
    timeMs: batch.timeMs,
    attempts: batch.attempts,
    firstAttemptMs: batch.firstAttemptMs,
    failedForMs: nowMs - failing.sinceMs,
    refusedForMs: failing.refusedSinceMs === undefined ? undefined : nowMs - failing.refusedSinceMs,
  };
}

/** Undefined for a text that is none: its events are tried as if for the first time. */
export function parseBatchRecord(text: string): BatchRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<BatchRecord>; // each field is looked at below
    const { source, deliveryId, versions, alone, timeMs, attempts, failedForMs } = record;
    const { firstAttemptMs, refusedForMs } = record;
    if (source === undefined || !SOURCES.includes(source) || typeof deliveryId !== "string") return undefined;
    if (!isNumbers(versions) || !isNumbers(alone)) return undefined;
    if (!isNumber(timeMs) || !isNumber(attempts) || !isNumber(failedForMs)) return undefined;
    if (firstAttemptMs !== undefined && !isNumber(firstAttemptMs)) return undefined;
    if (refusedForMs !== undefined && !isNumber(refusedForMs)) return undefined;
    const times = { timeMs, attempts, firstAttemptMs, failedForMs, refusedForMs };
    return { source, deliveryId, versions, alone, ...times };
  } catch {
    return undefined; // not JSON
  }
}

/** The batch of a record, made of those of its events that are still to be sent. Undefined where none is. */
export function restoreBatch(
  record: BatchRecord,
  candidates: readonly Item[],
  nowMs: number,
): Batch | undefined {
  const items = candidates.filter(({ version }) => record.versions.includes(version));
  if (items.length === 0) return undefined;
  const { source, deliveryId, timeMs, attempts, firstAttemptMs, failedForMs, refusedForMs } = record;
  return {
    source,
    deliveryId,
    items,
    alone: candidates.filter(({ version }) => record.alone.includes(version)),
    timeMs,
    attempts,
    firstAttemptMs,
    lastAttemptMs: undefined,
    attemptBeforeMs: undefined,
    failing: {
      sinceMs: nowMs - failedForMs,
      refusedSinceMs: refusedForMs === undefined ? undefined : nowMs - refusedForMs,
    },
  };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isNumber);
}
