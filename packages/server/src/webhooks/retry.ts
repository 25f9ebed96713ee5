import type { Chance } from "#core/ports";

export interface RetrySettings {
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
}

const JITTER = 0.25; // ours: receivers that come back are not met by all lanes in the same instant
const MAX_DOUBLINGS = 40; // beyond, every pause is the longest anyway

/** How long to wait after so many failures in a row, 1 or more: doubling, less up to a quarter that chance decides. */
export function pauseMs(failures: number, settings: RetrySettings, chance: Chance): number {
  const doubled = settings.retryBaseMs * 2 ** Math.min(failures - 1, MAX_DOUBLINGS);
  const longestMs = Math.min(doubled, settings.retryMaxMs);
  return longestMs - chance.integer(Math.floor(longestMs * JITTER) + 1);
}

/** Shortened so that an attempt is made when a time limit for failing is reached, not up to a whole pause later. */
export function pauseUntilJudged(pause: number, failedForMs: number, limitsMs: readonly number[]): number {
  const left = limitsMs.map((limitMs) => limitMs - failedForMs).filter((leftMs) => leftMs > 0);
  return Math.min(pause, ...left);
}
