/**
 * A random history of clients, restarts, crashes and failing receivers, and everybody's view of who is where beside it.
 * The same seeds in every run, so that a failure is the change's own doing; `npm run shadow -- --seeds 200` plays
 * others. EARSHOT_SHADOW_SEED begins elsewhere.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { redisProgram } from "../support/redis.ts";
import { playSeed } from "./episode.ts";
import { RedisSets } from "./redis-set.ts";
import { scheduleOf } from "./schedule.ts";
import { STEPS } from "./world.ts";

const FIRST_SEED = Number(process.env["EARSHOT_SHADOW_SEED"] ?? 1);
const SEEDS = Array.from({ length: 10 }, (_, index) => FIRST_SEED + index);
const MAX_TEST_MS = 120_000; // ours: several times what it takes, for a machine that is busy with other tests

let redis: RedisSets | undefined;

beforeAll(async () => {
  redis = await RedisSets.start();
}, MAX_TEST_MS);

afterAll(() => redis?.stop());

test.skipIf(redisProgram === undefined)("one of the receivers keeps a set in a real Redis", () => {
  expect(redis).toBeDefined();
});

test.each(SEEDS)(
  "whatever happens, nobody is told anything untrue for long (seed %i)",
  async (seed) => {
    const { events, restarts, requests } = await playSeed(seed, STEPS, redis?.next());
    expect(events).toBeGreaterThan(100);
    expect(restarts).toBeGreaterThan(0);
    expect(requests).toBeGreaterThan(100);
  },
  MAX_TEST_MS,
);

describe("a schedule", () => {
  test("is the same for the same seed", () => {
    expect(scheduleOf(7, 500)).toEqual(scheduleOf(7, 500));
    expect(scheduleOf(8, 500)).not.toEqual(scheduleOf(7, 500));
  });

  test("ends with a rest, of which it knows who is where", () => {
    for (const seed of SEEDS) {
      const { steps, truths } = scheduleOf(seed, STEPS);
      expect(steps.at(-1)).toEqual({ do: "rest" });
      expect(steps.filter((step) => step.do === "rest")).toHaveLength(truths.length);
    }
  });
});
