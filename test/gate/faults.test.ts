/**
 * Four workers publish numbered events through gates that share a Redis set, watchers come and go, and something goes wrong all
 * the time. The same seeds in every run; EARSHOT_GATE_SEED begins elsewhere.
 */
import { describe, expect, test } from "bun:test";
import { redisProgram } from "../support/redis.ts";
import { playSeed } from "./episode.ts";
import { scheduleOf } from "./schedule.ts";

const FIRST_SEED = Number(process.env["EARSHOT_GATE_SEED"] ?? 4);
const SEEDS = Array.from({ length: 4 }, (_, index) => FIRST_SEED + index);
const MAX_TEST_MS = 60_000; // ours: several times what it takes, for a machine that is busy with other tests

test.skipIf(redisProgram === undefined).each(SEEDS)(
  "nothing that a watcher should have seen is missed or out of order (seed %i)",
  async (seed) => {
    const outcome = await playSeed(seed, redisProgram ?? "");
    expect(outcome.calls).toBeGreaterThan(500);
    expect(outcome.sessions).toBeGreaterThan(2); // a busy machine lets fewer come in the same time
    expect(outcome.heard).toBeGreaterThan(20);
    expect(outcome.saved).toBeGreaterThan(0);
    expect(outcome.caughtUp).toBeGreaterThan(0);
  },
  MAX_TEST_MS,
);

describe("a schedule", () => {
  test("is the same for the same seed", () => {
    expect(scheduleOf(7)).toEqual(scheduleOf(7));
    expect(scheduleOf(8)).not.toEqual(scheduleOf(7));
  });
});
