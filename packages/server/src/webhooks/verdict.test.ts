import { describe, expect, test } from "bun:test";
import { newBatch, type TriedBatch, tried } from "./batch.ts";
import { answered, UNREACHABLE } from "./testing/stage.ts";
import { judge } from "./verdict.ts";

const PATIENCE = { poisonMs: 300_000, giveUpMs: 86_400_000 };
const BEGAN_MS = 1_000;

type ArrivedSince = (sinceMs: number) => boolean;

const never: ArrivedSince = () => false;
const always: ArrivedSince = () => true;

function batchOf(events: number, over: Partial<TriedBatch> = {}): TriedBatch {
  const items = Array.from({ length: events }, (_, index) => ({
    version: index + 1,
    occurredMs: 0,
    event: { name: "cache_miss" as const, channel: "cache-x" },
  }));
  const batch = tried(newBatch("log", items, { deliveryId: "d", timeMs: 0 }), 0, BEGAN_MS);
  return { ...batch, attempts: 9, attemptBeforeMs: BEGAN_MS + 100_000, ...over };
}

const refusedSince = (sinceMs: number) => ({ failing: { sinceMs: BEGAN_MS, refusedSinceMs: sinceMs } });

test.each([200, 201, 204, 299])("status %d is success", (status) => {
  expect(judge(batchOf(1), answered(status), BEGAN_MS, never, PATIENCE)).toEqual({ next: "arrived" });
});

test.each([101, 301, 302, 400, 404, 500, 599])("status %d is none", (status) => {
  expect(judge(batchOf(1), answered(status), BEGAN_MS, never, PATIENCE).next).toBe("retry");
});

describe("a batch that its receiver refuses", () => {
  const refused = (afterMs: number, status = 400, events = 1, over = refusedSince(BEGAN_MS)) =>
    judge(batchOf(events, over), answered(status), BEGAN_MS + afterMs, never, PATIENCE);

  test("is tried for a while, then buried", () => {
    expect(refused(299_999).next).toBe("retry");
    expect(refused(300_000)).toMatchObject({ next: "bury", reason: "refused" });
  });

  test.each([408, 425, 429, 500, 301])("is not refused with status %d, which asks to come back", (status) => {
    const verdict = refused(300_000, status);
    expect(verdict).toMatchObject({ next: "retry", batch: { failing: { refusedSinceMs: undefined } } });
  });

  test("is refused since the first of an unbroken row", () => {
    const since = { failing: { sinceMs: BEGAN_MS, refusedSinceMs: undefined } };
    const verdict = judge(batchOf(1, since), answered(400), BEGAN_MS + 400_000, never, PATIENCE);
    expect(verdict).toMatchObject({
      next: "retry",
      batch: { failing: { refusedSinceMs: BEGAN_MS + 400_000 } },
    });
  });

  test("is taken apart where it holds several events", () => {
    expect(refused(300_000, 400, 2).next).toBe("alone");
  });

  test("is buried alone only after three attempts of its own", () => {
    const alone = (attempts: number) =>
      judge(
        batchOf(1, { ...refusedSince(BEGAN_MS), attempts }),
        answered(400),
        BEGAN_MS + 300_000,
        never,
        PATIENCE,
      ).next;
    expect([1, 2, 3].map(alone)).toEqual(["retry", "retry", "bury"]);
  });
});

describe("a batch that fails", () => {
  const failed = (afterMs: number, othersArrivedSince = always, over: Partial<TriedBatch> = {}) =>
    judge(batchOf(1, over), UNREACHABLE, BEGAN_MS + afterMs, othersArrivedSince, PATIENCE);

  test("is buried when others arrive meanwhile, after a while", () => {
    expect(failed(299_999).next).toBe("retry");
    expect(failed(300_000)).toMatchObject({ next: "bury", reason: "failing" });
  });

  test("is tried on while nothing else arrives either", () => {
    expect(failed(300_000, never).next).toBe("retry");
  });

  test("is not judged by what arrived before its last two attempts: the receiver may have gone down since", () => {
    const lastArrivedMs = BEGAN_MS + 50;
    expect(failed(300_000, (sinceMs) => lastArrivedMs >= sinceMs).next).toBe("retry");
    expect(failed(300_000, always, { attemptBeforeMs: undefined }).next).toBe("retry");
  });

  test("is given up in the end, with all its events", () => {
    expect(failed(86_399_999, never).next).toBe("retry");
    expect(failed(86_400_000, never)).toMatchObject({ next: "bury", reason: "gave up" });
    const large = judge(batchOf(20), UNREACHABLE, BEGAN_MS + 86_400_000, never, PATIENCE);
    expect(large).toMatchObject({ next: "bury", reason: "gave up" });
  });
});
