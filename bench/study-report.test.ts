import { expect, test } from "bun:test";
import type { FiguresOf, Study } from "./study.ts";
import { studyFlaws, studyReport, studyVerdicts } from "./study-report.ts";

const study: Study = {
  name: "toy",
  title: () => "toy",
  modes: [
    { name: "off", doc: "without it" },
    { name: "on", doc: "with it" },
  ],
  sizes: [],
  quick: {},
  runs: 1,
  connections: () => 0,
  remarks: () => [],
  columns: [
    { figure: "ms", title: "ms", digits: 1 },
    { figure: "lost", title: "lost", digits: 0 },
  ],
  budgets: [
    {
      what: "on against off",
      measure: (of) => {
        const [on, off] = [of.get("on")?.["ms"], of.get("off")?.["ms"]];
        return on === undefined || off === undefined ? undefined : on / off;
      },
      bound: "at most",
      limit: 1.2,
      unit: "x",
    },
    {
      what: "lost",
      measure: (of) => of.get("on")?.["lost"],
      bound: "at most",
      limit: 0,
      unit: "",
      byWorst: true,
    },
  ],
  play: () => Promise.resolve({}),
  derive: (of) => of,
  flaws: (_mode, figures) => (figures["ms"] === 99 ? ["99 ms is nonsense"] : []),
};
const run = (off: number, on: number, lost: number): FiguresOf =>
  new Map([
    ["off", { ms: off }],
    ["on", { ms: on, lost }],
  ]);

test("prints a row for each mode, what the modes are, and whether the budgets are met", () => {
  expect(studyReport(study, [run(1, 1.1, 0)])).toBe(
    [
      "mode   ms  lost",
      "----  ---  ----",
      "off   1.0     -",
      "on    1.1     0",
      "",
      "off: without it",
      "on: with it",
      "",
      "met      on against off: 1.10x (1.10 - 1.10), budget at most 1.20x, 8 % below",
      "met      lost: 0 (0 - 0), budget at most 0 in every run",
    ].join("\n"),
  );
});

test("one run with a loss is one too many, although the median has none", () => {
  const verdicts = studyVerdicts(study, [run(1, 1, 0), run(1, 1, 3), run(1, 1, 0)]);
  expect(verdicts.map(({ met }) => met)).toEqual([true, false]);
});

test("says nothing of a budget whose modes were not measured", () => {
  expect(studyVerdicts(study, [new Map([["off", { ms: 1 }]])])).toEqual([]);
});

test("names the runs that are worth nothing", () => {
  const disturbed: FiguresOf = new Map([["off", { ms: 99, foreignPercent: 34.4 }]]);
  expect(studyFlaws(study, [run(1, 1, 0), disturbed])).toEqual([
    "run 2, off: other programs took 34 % of this machine, more than 10 %",
    "run 2, off: 99 ms is nonsense",
  ]);
});
