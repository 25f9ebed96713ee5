import { Refused } from "#store/refused";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const AGO = /^(\d{1,9})([smhd])$/;
const ISO_8601 = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Unix milliseconds of a moment that a person wrote: `10m`, `2h` or `1d` ago, or ISO 8601, in UTC where it names no zone,
 * as moments are shown here.
 *
 * @throws Refused
 */
export function momentFrom(flag: string, text: string, nowMs: number): number {
  const ms = agoMs(text, nowMs) ?? isoMs(text);
  if (ms === undefined) {
    throw new Refused(
      `--${flag} ${JSON.stringify(text)} is no moment: write how long ago, such as 10m, 2h or 1d, or a time such as 2026-01-31T09:30:00Z.`,
    );
  }
  if (ms <= nowMs) return ms;
  throw new Refused(
    `--${flag} ${JSON.stringify(text)} lies in the future, it is ${new Date(nowMs).toISOString()} now: write an earlier moment.`,
  );
}

function agoMs(text: string, nowMs: number): number | undefined {
  const [, count, unit = ""] = AGO.exec(text) ?? [];
  return count === undefined ? undefined : Math.max(0, nowMs - Number(count) * (UNIT_MS[unit] ?? 0));
}

function isoMs(text: string): number | undefined {
  const parts = ISO_8601.exec(text);
  if (parts === null) return undefined;
  const isLocal = text.includes("T") && parts[1] === undefined;
  const ms = Date.parse(isLocal ? `${text}Z` : text);
  return Number.isNaN(ms) ? undefined : ms;
}
