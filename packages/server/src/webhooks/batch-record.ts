import { type Batch, type Item, type Source, versionsOf } from "./batch.ts";

/** What survives a restart of a batch that was tried. Times become durations, because the monotonic clock begins anew. */
export interface BatchRecord {
  readonly source: Source;
  readonly deliveryId: string;
  readonly versions: readonly number[];
  readonly alone: readonly number[];
  readonly timeMs: number;
  readonly attempts: number;
  /** Unix milliseconds, this and the next. */
  readonly firstAttemptMs: number | undefined;
  readonly writtenMs: number;
  readonly failedForMs: number;
  readonly refusedForMs: number | undefined;
}

const SOURCES: readonly Source[] = ["log", "owed", "again"];

/** Undefined where nothing is to be remembered, because it never failed. */
export function recordOf(batch: Batch, nowMs: number, wallMs: number): BatchRecord | undefined {
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
    writtenMs: wallMs,
    failedForMs: nowMs - failing.sinceMs,
    refusedForMs: failing.refusedSinceMs === undefined ? undefined : nowMs - failing.refusedSinceMs,
  };
}

/** Undefined for a text that is none: its events are tried as if for the first time. */
export function parseBatchRecord(text: string): BatchRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<BatchRecord>; // each field is looked at below
    const { source, deliveryId, versions, alone, timeMs, attempts, failedForMs } = record;
    const { firstAttemptMs, refusedForMs, writtenMs } = record;
    if (source === undefined || !SOURCES.includes(source) || typeof deliveryId !== "string") return undefined;
    if (!isNumbers(versions) || !isNumbers(alone)) return undefined;
    if (!isNumber(timeMs) || !isNumber(attempts)) return undefined;
    if (!isNumber(failedForMs) || !isNumber(writtenMs)) return undefined;
    if (firstAttemptMs !== undefined && !isNumber(firstAttemptMs)) return undefined;
    if (refusedForMs !== undefined && !isNumber(refusedForMs)) return undefined;
    const times = { timeMs, attempts, firstAttemptMs, writtenMs, failedForMs, refusedForMs };
    return { source, deliveryId, versions, alone, ...times };
  } catch {
    return undefined; // not JSON
  }
}

/**
 * The batch of a record, made of those of its events that are still to be sent. Undefined where none is. It has failed
 * for as long as was written down and since then, but at most for one pause more: the process may have been down for
 * longer, or the wall clock set.
 */
export function restoreBatch(
  record: BatchRecord,
  candidates: readonly Item[],
  now: { readonly nowMs: number; readonly wallMs: number; readonly longestPauseMs: number },
): Batch | undefined {
  const items = candidates.filter(({ version }) => record.versions.includes(version));
  if (items.length === 0) return undefined;
  const { source, deliveryId, timeMs, attempts, firstAttemptMs, failedForMs, refusedForMs } = record;
  const sinceWrittenMs = Math.min(Math.max(0, now.wallMs - record.writtenMs), now.longestPauseMs);
  const referenceMs = now.nowMs - sinceWrittenMs;
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
      sinceMs: referenceMs - failedForMs,
      refusedSinceMs: refusedForMs === undefined ? undefined : referenceMs - refusedForMs,
    },
  };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isNumber);
}
