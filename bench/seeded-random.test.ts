import { expect, test } from "bun:test";
import { SeededRandom } from "./seeded-random.ts";

test("repeats itself for a seed and differs for another", () => {
  const numbers = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 5 }, () => random.below(1_000));
  };
  expect(numbers(1)).toEqual(numbers(1));
  expect(numbers(1)).not.toEqual(numbers(2));
});

test("stays within its bounds and spreads over them", () => {
  const random = new SeededRandom(7);
  const drawn = Array.from({ length: 2_000 }, () => random.between(20, 60));
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(20);
  expect(Math.max(...drawn)).toBeLessThan(60);
  expect(drawn.reduce((sum, value) => sum + value, 0) / drawn.length).toBeCloseTo(40, 0);
});

test("a permutation holds every number once", () => {
  const shuffled = new SeededRandom(3).permutation(100);
  expect(shuffled).not.toEqual(shuffled.toSorted((a, b) => a - b));
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
});
