import { expect, test } from "bun:test";
import { cpuSeconds, parseCpuSeconds, parseResidentKib, residentKib } from "./usage.ts";

test("adds user and system time, whatever the program is called", () => {
  const stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 100 1 1";
  expect(parseCpuSeconds(stat)).toBe(2);
});

test("reads the resident set", () => {
  expect(
    parseResidentKib(
      "00400000-7fff ---p 00000000 00:00 0  [rollup]\nRss:              123456 kB\nPss: 1 kB\n",
    ),
  ).toBe(123_456);
});

test("reads this very process", () => {
  expect(cpuSeconds(process.pid)).toBeGreaterThanOrEqual(0);
  expect(residentKib(process.pid)).toBeGreaterThan(1_000);
});
