/** What a run of the kit prints and writes. */
import type { Outcome, Result, Section } from "./check.ts";

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const COLOURS: Readonly<Record<Outcome, number>> = { pass: 32, fail: 31, skip: 33 };

export function totalsOf(results: readonly Result[]): Totals {
  const count = (outcome: Outcome) => results.filter((result) => result.outcome === outcome).length;
  return { passed: count("pass"), failed: count("fail"), skipped: count("skip") };
}

/** The lines of one result. A title comes before the first of a section. */
export function linesOf(
  result: Result,
  before: Result | undefined,
  sections: readonly Section[],
  hasColours: boolean,
): string[] {
  const lines: string[] = [];
  if (result.section !== before?.section) {
    const title = sections.find(({ letter }) => letter === result.section)?.title ?? "";
    if (before !== undefined) lines.push("");
    lines.push(`${result.section}. ${title}`);
  }
  const { number, outcome, what, seen } = result;
  const word = hasColours ? `\u001b[${COLOURS[outcome]}m${outcome}\u001b[0m` : outcome;
  lines.push(`${String(number).padStart(5)}  ${word}  ${what}`);
  if (seen !== "") lines.push(`${" ".repeat(13)}${outcome === "skip" ? "why" : "seen"}: ${seen}`);
  return lines;
}

export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** The text of the file that `--json` writes. */
export function jsonReport(url: string, startedAt: string, results: readonly Result[]): string {
  return `${JSON.stringify({ url, startedAt, totals: totalsOf(results), checks: results }, null, 2)}\n`;
}
