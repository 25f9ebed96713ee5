import type { ContenderName } from "./contenders/contender.ts";
import { type Budget, type Figures, figure } from "./scene.ts";
import { ratios, type Spread, spread } from "./statistics.ts";

/** All runs of one server, in the order in which they were made. */
export interface Runs {
  readonly contender: ContenderName;
  readonly version: string;
  readonly figures: readonly Figures[];
}

export interface Verdict {
  readonly what: string;
  readonly bound: Budget["bound"];
  readonly limit: number;
  readonly unit: string;
  readonly measured: Spread;
  readonly met: boolean;
  /** Distance of the median from the limit as a share of the limit. */
  readonly marginPercent: number;
}

/** @returns undefined when a server that the budget speaks of was not measured */
export function verdict(budget: Budget, all: readonly Runs[]): Verdict | undefined {
  const measured = values(budget, all);
  if (measured === undefined) return undefined;
  const { median } = spread(measured);
  return {
    what: budget.what,
    bound: budget.bound,
    limit: budget.limit,
    unit: budget.unit,
    measured: spread(measured),
    met: budget.bound === "at most" ? median <= budget.limit : median >= budget.limit,
    marginPercent: (100 * Math.abs(median - budget.limit)) / budget.limit,
  };
}

export function valuesOf(all: readonly Runs[], contender: ContenderName, name: string): number[] | undefined {
  const figures = all.find((runs) => runs.contender === contender)?.figures;
  return figures === undefined || figures.length === 0 ? undefined : figures.map((run) => figure(run, name));
}

function values(budget: Budget, all: readonly Runs[]): number[] | undefined {
  const earshot = valuesOf(all, "earshot", budget.figure);
  if (budget.of === "earshot" || earshot === undefined) return earshot;
  const other = valuesOf(all, budget.of === "earshot/bare" ? "bare" : "soketi", budget.figure);
  if (other === undefined) return undefined;
  return budget.of === "earshot/bare" ? ratios(earshot, other) : ratios(other, earshot);
}
