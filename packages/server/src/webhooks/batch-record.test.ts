import { describe, expect, test } from "bun:test";
import { newBatch, tried } from "./batch.ts";
import { parseBatchRecord, recordOf, restoreBatch } from "./batch-record.ts";

const WALL_MS = 1_700_000_000_000;

const ITEMS = [11, 12, 13].map((version) => ({
  version,
  occurredMs: 1,
  event: { name: "cache_miss" as const, channel: "cache-x" },
}));

function failed() {
  const batch = tried(
    newBatch("log", ITEMS.slice(0, 2), { deliveryId: "d1", timeMs: WALL_MS }),
    WALL_MS,
    5_000,
  );
  return { ...batch, alone: ITEMS.slice(2), failing: { sinceMs: 5_000, refusedSinceMs: 6_000 } };
}

function written(nowMs = 8_000, wallMs = WALL_MS + 3_000): string {
  return JSON.stringify(recordOf(failed(), nowMs, wallMs));
}

describe("a batch that was written down", () => {
  test("is the same again in another process, whose clock begins elsewhere", () => {
    const record = parseBatchRecord(written());
    if (record === undefined) throw new Error("it was not read");
    const now = { nowMs: 100, wallMs: WALL_MS + 4_000, longestPauseMs: 300_000 };
    expect(restoreBatch(record, ITEMS, now)).toEqual({
      ...failed(),
      lastAttemptMs: undefined,
      attemptBeforeMs: undefined,
      failing: { sinceMs: 100 - 1_000 - 3_000, refusedSinceMs: 100 - 1_000 - 2_000 },
    });
  });

  test.each([
    ["was down for a year", 365 * 86_400_000, 300_000],
    ["has a clock that was set back", -86_400_000, 0],
  ])("has failed for at most one pause more where the process %s", (_, sinceMs, countedMs) => {
    const record = parseBatchRecord(written());
    if (record === undefined) throw new Error("it was not read");
    const now = { nowMs: 0, wallMs: WALL_MS + 3_000 + sinceMs, longestPauseMs: 300_000 };
    expect(restoreBatch(record, ITEMS, now)?.failing?.sinceMs).toBe(-3_000 - countedMs);
  });

  test("holds what is still to be sent of it, and is none where that is nothing", () => {
    const record = parseBatchRecord(written());
    if (record === undefined) throw new Error("it was not read");
    const now = { nowMs: 0, wallMs: WALL_MS, longestPauseMs: 1 };
    expect(restoreBatch(record, ITEMS.slice(1), now)?.items.map(({ version }) => version)).toEqual([12]);
    expect(restoreBatch(record, ITEMS.slice(2), now)).toBeUndefined();
  });
});

test("a batch that never failed is not written down", () => {
  const batch = newBatch("log", ITEMS, { deliveryId: "d1", timeMs: 1 });
  expect(recordOf(batch, 1, 1)).toBeUndefined();
});

test.each(["", "null", "7", "[]", "{", '{"source":"elsewhere"}', written().replace("[11,12]", '["11"]')])(
  "%s is no record",
  (text) => expect(parseBatchRecord(text)).toBeUndefined(),
);
