import type { ContenderName } from "./contenders/contender.ts";
import type { Column, Scene } from "./scene.ts";
import { ratios, spread } from "./statistics.ts";
import { table } from "./table.ts";
import { type Runs, type Verdict, valuesOf, verdict } from "./verdict.ts";

/** What a person reads at the end: the table, what went wrong beside it, and the budgets. */
export function report(scene: Scene, all: readonly Runs[]): string {
  const peers = (["bare", "soketi"] as const).filter((peer) => all.some((runs) => runs.contender === peer));
  const head = [
    "server",
    ...scene.columns.map((column) => column.title),
    ...peers.map((peer) => `/ ${peer}`),
    "lost",
  ];
  const rows = all.map((runs) => [
    runs.contender,
    ...scene.columns.map((column) => cell(column, all, runs.contender)),
    ...peers.map((peer) => ratioCell(scene.compared, all, runs.contender, peer)),
    lostCell(runs),
  ]);
  const budgets = verdicts(scene, all);
  return [
    table(head, rows),
    ...all.flatMap(troubles),
    ...(budgets.length === 0 ? [] : ["", ...budgets.map(verdictLine)]),
  ].join("\n");
}

export function verdicts(scene: Scene, all: readonly Runs[]): Verdict[] {
  return scene.budgets.map((budget) => verdict(budget, all)).filter((found) => found !== undefined);
}

export function verdictLine(found: Verdict): string {
  const { measured, limit, unit, byWorst } = found;
  const isBelow = found.bound === "at most" ? found.met : !found.met;
  const distance = limit === 0 ? "" : `, ${found.marginPercent.toFixed(0)} % ${isBelow ? "below" : "above"}`;
  const runs = `${short(measured.median)}${unit} (${short(measured.min)} - ${short(measured.max)})`;
  const how = byWorst === undefined ? "" : " in every run";
  return `${found.met ? "met    " : "NOT MET"}  ${found.what}: ${runs}, budget ${found.bound} ${short(limit)}${unit}${how}${distance}`;
}

function cell(column: Column, all: readonly Runs[], contender: ContenderName): string {
  return valuesCell(column, valuesOf(all, contender, column.figure));
}

export function valuesCell(column: Column, values: readonly number[] | undefined): string {
  if (values === undefined) return "-";
  const { median, min, max } = spread(values);
  const text = grouped(median, column.digits);
  return column.spread && values.length > 1
    ? `${text} (${grouped(min, column.digits)} - ${grouped(max, column.digits)})`
    : text;
}

function ratioCell(
  compared: string,
  all: readonly Runs[],
  contender: ContenderName,
  peer: ContenderName,
): string {
  const own = valuesOf(all, contender, compared);
  const others = valuesOf(all, peer, compared);
  return own === undefined || others === undefined
    ? "-"
    : `${spread(ratios(own, others)).median.toFixed(2)}x`;
}

/** The worst run, because a mean hides it. */
function lostCell(runs: Runs): string {
  const lost = Math.max(...runs.figures.map((run) => run["lost"] ?? 0));
  const percent = Math.max(...runs.figures.map((run) => run["lostPercent"] ?? 0));
  return lost > 0 && percent > 0 ? `${grouped(lost, 0)} (${percent.toFixed(2)} %)` : grouped(lost, 0);
}

/** Figures that should be small, and from where on a reader is told. */
const TROUBLES = [
  { name: "refused", text: "triggers refused", above: 0 },
  { name: "closed", text: "subscribers closed", above: 0 },
  { name: "wrong", text: "sampled events wrong", above: 0 },
  { name: "busyPercent", text: "percent of this machine taken by other programs", above: 10 },
] as const;

function troubles(runs: Runs): string[] {
  return TROUBLES.flatMap(({ name, text, above }) => {
    const values = runs.figures.map((run) => run[name] ?? 0);
    const isTrouble = values.some((value) => value > above);
    return isTrouble ? [`${runs.contender}: ${text}, run by run: ${values.join(", ")}`] : [];
  });
}

function grouped(value: number, digits: number): string {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function short(value: number): string {
  return grouped(value, value >= 100 ? 0 : Number.isInteger(value) ? 0 : 2);
}
