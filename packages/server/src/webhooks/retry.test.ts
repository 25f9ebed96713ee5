import { expect, test } from "bun:test";
import { pauseMs, pauseUntilJudged } from "./retry.ts";

const SETTINGS = { retryBaseMs: 1_000, retryMaxMs: 300_000 };
const none = { integer: () => 0 };
const most = { integer: (below: number) => below - 1 };

test("the pause doubles from the shortest to the longest", () => {
  const pauses = [1, 2, 3, 4, 8, 9, 10, 1_000].map((failures) => pauseMs(failures, SETTINGS, none));
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 128_000, 256_000, 300_000, 300_000]);
});

test("chance takes up to a quarter of the pause", () => {
  expect(pauseMs(1, SETTINGS, most)).toBe(750);
  expect(pauseMs(20, SETTINGS, most)).toBe(225_000);
  expect(pauseMs(1, { retryBaseMs: 1, retryMaxMs: 1 }, most)).toBe(1);
});

test("the pause ends when a limit is reached that lies within it", () => {
  expect(pauseUntilJudged(256_000, 255_000, [300_000, 86_400_000])).toBe(45_000);
  expect(pauseUntilJudged(20_000, 255_000, [300_000, 86_400_000])).toBe(20_000);
  expect(pauseUntilJudged(300_000, 300_000, [300_000, 86_400_000])).toBe(300_000);
  expect(pauseUntilJudged(300_000, 86_399_000, [300_000, 86_400_000])).toBe(1_000);
});
