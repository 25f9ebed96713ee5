import { expect, test } from "bun:test";
import type { Budget } from "./scene.ts";
import { type Runs, verdict } from "./verdict.ts";

const runs = (contender: Runs["contender"], ...cpu: number[]): Runs => ({
  contender,
  version: "1",
  figures: cpu.map((value) => ({ cpu: value })),
});
const all = [runs("earshot", 1.1, 2.4), runs("bare", 1, 2), runs("soketi", 11, 12)];
const budget = { what: "CPU", figure: "cpu", unit: "x" } as const satisfies Partial<Budget>;

test("compares Earshot with bare run by run", () => {
  expect(verdict({ ...budget, of: "earshot/bare", bound: "at most", limit: 1.15 }, all)).toMatchObject({
    measured: { median: 1.15, min: 1.1, max: 1.2 },
    met: true,
  });
});

test("says by how much a budget is missed", () => {
  const missed = verdict({ ...budget, of: "soketi/earshot", bound: "at least", limit: 10 }, all);
  expect(missed).toMatchObject({ measured: { median: 7.5 }, met: false, marginPercent: 25 });
});

test("takes Earshot's own figure where nothing is compared", () => {
  expect(verdict({ ...budget, of: "earshot", bound: "at most", limit: 2 }, all)).toMatchObject({ met: true });
});

test("says nothing when a server is missing", () => {
  expect(
    verdict({ ...budget, of: "earshot/bare", bound: "at most", limit: 1 }, all.slice(0, 1)),
  ).toBeUndefined();
  expect(verdict({ ...budget, of: "earshot", bound: "at most", limit: 1 }, all.slice(1))).toBeUndefined();
});
