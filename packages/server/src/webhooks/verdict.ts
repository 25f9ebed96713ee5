import type { Batch, TriedBatch } from "./batch.ts";
import type { DeadReason } from "./delivery-log.ts";
import type { SendResult } from "./sender.ts";

export interface Patience {
  /** How long a batch may be refused, or fail alone, before it counts as poisonous. */
  readonly poisonMs: number;
  /** How long any batch is tried. */
  readonly giveUpMs: number;
}

/** What follows an attempt. */
export type Verdict =
  | { readonly next: "arrived" }
  | { readonly next: "retry"; readonly batch: Batch }
  /** One of its events is poisonous: each is sent alone, in order. */
  | { readonly next: "alone"; readonly batch: Batch }
  | { readonly next: "bury"; readonly batch: Batch; readonly reason: DeadReason };

/** One that was alone all the time has more of them by then; one that comes out of a larger batch gets as many. */
const ATTEMPTS_ALONE = 3; // ours: a good event that meets one bad moment does not die with the poisonous one

/**
 * Whether a batch is tried again. One that failed while others arrived is poisonous only if they did so lately: a
 * receiver that goes down has often served another lane a moment after the first failure.
 *
 * @param othersArrivedSince whether another lane of the endpoint has had a success at a time or later
 */
export function judge(
  tried: TriedBatch,
  result: SendResult,
  nowMs: number,
  othersArrivedSince: (sinceMs: number) => boolean,
  patience: Patience,
): Verdict {
  if (isSuccess(result)) return { next: "arrived" };
  const { sinceMs } = tried.failing;
  const refusedSinceMs = isRefusal(result) ? (tried.failing.refusedSinceMs ?? nowMs) : undefined;
  const batch: Batch = { ...tried, failing: { sinceMs, refusedSinceMs } };
  if (nowMs - sinceMs >= patience.giveUpMs) return { next: "bury", batch, reason: "gave up" };
  const isRefused = refusedSinceMs !== undefined && nowMs - refusedSinceMs >= patience.poisonMs;
  const hasFailedLong = nowMs - sinceMs >= patience.poisonMs;
  const othersArrive = tried.attemptBeforeMs !== undefined && othersArrivedSince(tried.attemptBeforeMs);
  if (!isRefused && !(hasFailedLong && othersArrive)) return { next: "retry", batch };
  if (batch.items.length > 1) return { next: "alone", batch };
  if (batch.attempts < ATTEMPTS_ALONE) return { next: "retry", batch };
  return { next: "bury", batch, reason: isRefused ? "refused" : "failing" };
}

function isSuccess(result: SendResult): boolean {
  return result.answered && result.status >= 200 && result.status <= 299;
}

/** Statuses of 400 to 499 that ask to come back. */
const COME_BACK = [408, 425, 429];

/** The receiver says that the request itself is wrong. */
function isRefusal(result: SendResult): boolean {
  return (
    result.answered && result.status >= 400 && result.status <= 499 && !COME_BACK.includes(result.status)
  );
}
