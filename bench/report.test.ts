import { expect, test } from "bun:test";
import { report } from "./report.ts";
import type { Scene } from "./scene.ts";
import type { Runs } from "./verdict.ts";

const scene: Scene = {
  name: "toy",
  title: () => "toy",
  sizes: [],
  connections: () => 0,
  columns: [{ figure: "cpu", title: "CPU s", digits: 1, spread: true }],
  compared: "cpu",
  budgets: [
    { what: "CPU against bare", figure: "cpu", of: "earshot/bare", bound: "at most", limit: 1.15, unit: "x" },
  ],
  play: () => Promise.resolve({}),
};
const earshot: Runs = { contender: "earshot", version: "1", figures: [{ cpu: 1 }, { cpu: 1.2 }] };
const bare: Runs = { contender: "bare", version: "1", figures: [{ cpu: 1 }, { cpu: 1 }] };

test("prints servers, ratios, losses and whether the budget is met", () => {
  expect(report(scene, [earshot, bare])).toBe(
    [
      "server             CPU s  / bare  lost",
      "-------  ---------------  ------  ----",
      "earshot  1.1 (1.0 - 1.2)   1.10x     0",
      "bare     1.0 (1.0 - 1.0)   1.00x     0",
      "",
      "met      CPU against bare: 1.10x (1 - 1.20), budget at most 1.15x, 4 % below",
    ].join("\n"),
  );
});

test("prints the worst loss and what else went wrong beside the times", () => {
  const lossy: Runs = {
    contender: "soketi",
    version: "1",
    figures: [
      { cpu: 9, lost: 500, lostPercent: 50, closed: 3 },
      { cpu: 9, lost: 0, lostPercent: 0, closed: 0 },
    ],
  };
  const text = report(scene, [lossy]);
  expect(text).toContain("500 (50.00 %)");
  expect(text).toContain("soketi: subscribers closed, run by run: 3, 0");
});
