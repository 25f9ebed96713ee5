import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { coreTarget } from "./core-target.ts";
import { lateTarget } from "./late-target.ts";
import { serverTarget } from "./server-target.ts";
import type { Finding, Step, Target } from "./step.ts";

export const TARGETS = [coreTarget, lateTarget, serverTarget] as const;

export const CORPUS = join(import.meta.dir, "corpus");

/** A finding with everything that somebody needs to see it again. */
export interface Report {
  readonly target: string;
  readonly seed: number;
  readonly problem: string;
  /** As few steps as still show it. */
  readonly steps: readonly Step[];
}

export interface Run {
  readonly inputs: number;
  readonly reports: readonly Report[];
}

const MAX_REPORTS = 5; // ours: the same flaw is found again and again
const SHRINK_MS = 20_000;

/** Plays episodes of consecutive seeds until `isEnough` says so. */
export async function run(
  target: Target,
  firstSeed: number,
  isEnough: (inputs: number) => boolean,
): Promise<Run> {
  const reports: Report[] = [];
  let inputs = 0;
  for (let seed = firstSeed; !isEnough(inputs) && reports.length < MAX_REPORTS; seed++) {
    const steps = target.generate(seed);
    inputs += steps.length;
    const finding = await target.play(steps);
    if (finding !== undefined) reports.push(await reportOf(target, seed, steps, finding));
  }
  return { inputs, reports };
}

async function reportOf(
  target: Target,
  seed: number,
  steps: readonly Step[],
  finding: Finding,
): Promise<Report> {
  const until = steps.slice(0, finding.step + 1);
  const few = target.shrinks ? await shrunk(target, until) : until;
  return { target: target.name, seed, problem: finding.problem, steps: few };
}

/** Leaves out steps, many at a time, then fewer, as long as something is found. */
async function shrunk(target: Target, steps: readonly Step[]): Promise<readonly Step[]> {
  const endMs = performance.now() + SHRINK_MS;
  let few = steps;
  for (let size = Math.ceil(few.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < few.length && performance.now() < endMs; ) {
      const without = [...few.slice(0, start), ...few.slice(start + size)];
      if ((await target.play(without)) === undefined) start += size;
      else few = without;
    }
  }
  return few;
}

/** What is printed of a finding: the steps as a corpus file, and the command that plays the episode again. */
export function print(report: Report): string {
  const lines = report.steps.map((step) => JSON.stringify(step));
  return [
    `found by ${report.target}: ${report.problem}`,
    `again:  npm run fuzz -- --target ${report.target} --seed ${report.seed} --episodes 1`,
    "as a file of test/fuzz/corpus/, for --replay FILE:",
    "// (the cause)",
    JSON.stringify({ target: report.target }),
    ...lines,
    "",
  ].join("\n");
}

/** Plays a file: comments, the name of the target, then one step a line. */
export async function replay(path: string): Promise<Finding | undefined> {
  const lines = readFileSync(path, "utf8").split("\n");
  const [head = "", ...steps] = lines.filter((line) => line !== "" && !line.startsWith("//"));
  const { target: name } = JSON.parse(head) as { target: string };
  const target = TARGETS.find((candidate) => candidate.name === name);
  if (target === undefined) throw new Error(`${path} names no target that there is: ${head}`);
  return target.play(steps.map((line) => JSON.parse(line) as Step));
}

export function corpusFiles(): string[] {
  return readdirSync(CORPUS)
    .filter((file) => file.endsWith(".txt"))
    .sort();
}
