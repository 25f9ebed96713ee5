import { expect, test } from "bun:test";
import { quantile, ratios, spread } from "./statistics.ts";

test("tells runs by median, least and most", () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spread([7])).toEqual({ median: 7, min: 7, max: 7 });
});

test("refuses to tell anything of no runs", () => {
  expect(() => spread([])).toThrow("at least one");
});

test("compares run by run", () => {
  expect(ratios([2, 6], [1, 2])).toEqual([2, 3]);
  expect(() => ratios([1], [1, 2])).toThrow("cannot be compared");
});

test("a quantile is one of the values", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(values, 0.5)).toBe(50);
  expect(quantile(values, 0.95)).toBe(95);
  expect(quantile([7], 0.95)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});
