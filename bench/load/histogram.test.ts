import { expect, test } from "bun:test";
import { Histogram } from "./histogram.ts";

test("finds quantiles to the width of a bin", () => {
  const histogram = new Histogram(0.01, 1000);
  for (let i = 1; i <= 1000; i++) histogram.add(i / 100);
  expect(histogram.count).toBe(1000);
  expect(histogram.quantileMs(0.5)).toBeCloseTo(5, 1);
  expect(histogram.quantileMs(0.99)).toBeCloseTo(9.9, 1);
  expect(histogram.maxMs).toBe(10);
  expect(histogram.quantileMs(1)).toBe(10);
});

test("answers with the maximum for what lies beyond its span", () => {
  const histogram = new Histogram(1, 10);
  histogram.add(1);
  histogram.add(5000);
  expect(histogram.quantileMs(0.99)).toBe(5000);
});

test("answers 0 when nothing was added", () => {
  expect(new Histogram(1, 10).quantileMs(0.99)).toBe(0);
});
