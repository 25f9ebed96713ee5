import type { ContenderName } from "./contenders/contender.ts";
import { type Budget, type Figures, figure } from "./scene.ts";
import { ratios, type Spread, spread } from "./statistics.ts";

/** All runs of one server, in the order in which they were made. */
export interface Runs {
  readonly contender: ContenderName;
  readonly version: string;
  readonly figures: readonly Figures[];
}

/** What is wanted of a figure. */
export type Wish = Pick<Budget, "what" | "bound" | "limit" | "unit"> & {
  /** One bad run is one too many: losses, which a median would hide. */
  readonly byWorst?: true;
};

export interface Verdict extends Wish {
  readonly measured: Spread;
  readonly met: boolean;
  /** Distance of the median, or of the worst run, from the limit as a share of the limit. */
  readonly marginPercent: number;
}

/** @returns undefined when a server that the budget speaks of was not measured */
export function verdict(budget: Budget, all: readonly Runs[]): Verdict | undefined {
  const measured = values(budget, all);
  if (measured === undefined) return undefined;
  const { what, bound, limit, unit } = budget;
  return judged({ what, bound, limit, unit }, measured);
}

export function judged(wish: Wish, measured: readonly number[]): Verdict {
  const { median, min, max } = spread(measured);
  const isUpper = wish.bound === "at most";
  const decisive = wish.byWorst === undefined ? median : isUpper ? max : min;
  return {
    ...wish,
    measured: { median, min, max },
    met: isUpper ? decisive <= wish.limit : decisive >= wish.limit,
    marginPercent: wish.limit === 0 ? 0 : (100 * Math.abs(decisive - wish.limit)) / wish.limit,
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
