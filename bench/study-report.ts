import { valuesCell, verdictLine } from "./report.ts";
import type { FiguresOf, Study } from "./study.ts";
import { table } from "./table.ts";
import { judged, type Verdict } from "./verdict.ts";

/** What a person reads at the end of a study: a row for each mode, what makes it doubtful, and the budgets. */
export function studyReport(study: Study, runs: readonly FiguresOf[]): string {
  const modes = study.modes.filter(({ name }) => runs.some((run) => run.has(name)));
  const rows = modes.map(({ name }) => [
    name,
    ...study.columns.map((column) => valuesCell(column, valuesOf(runs, name, column.figure))),
  ]);
  const verdicts = studyVerdicts(study, runs);
  return [
    table(["mode", ...study.columns.map(({ title }) => title)], rows),
    "",
    ...modes.map(({ name, doc }) => `${name}: ${doc}`),
    ...studyFlaws(study, runs).map((flaw) => `INVALID  ${flaw}`),
    ...(verdicts.length === 0 ? [] : ["", ...verdicts.map(verdictLine)]),
  ].join("\n");
}

export function studyVerdicts(study: Study, runs: readonly FiguresOf[]): Verdict[] {
  return study.budgets.flatMap(({ measure, ...wish }) => {
    const measured = runs.map(measure).filter((value) => value !== undefined);
    return measured.length === 0 ? [] : [judged(wish, measured)];
  });
}

/** Above this, other programs of the machine have disturbed the times. */
const MAX_FOREIGN_PERCENT = 10; // ours

/** What is wrong with which mode of which run, in words. */
export function studyFlaws(study: Study, runs: readonly FiguresOf[]): string[] {
  return runs.flatMap((run, index) =>
    [...run].flatMap(([mode, figures]) => {
      const foreign = figures["foreignPercent"] ?? 0;
      const disturbed =
        foreign > MAX_FOREIGN_PERCENT
          ? [
              `other programs took ${foreign.toFixed(0)} % of this machine, more than ${MAX_FOREIGN_PERCENT} %`,
            ]
          : [];
      return [...disturbed, ...study.flaws(mode, figures)].map(
        (flaw) => `run ${index + 1}, ${mode}: ${flaw}`,
      );
    }),
  );
}

function valuesOf(runs: readonly FiguresOf[], mode: string, figure: string): number[] | undefined {
  const values = runs.map((run) => run.get(mode)?.[figure]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : values;
}
