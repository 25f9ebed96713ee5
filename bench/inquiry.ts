import type { Arguments, Command } from "./arguments.ts";
import { earshot } from "./contenders/earshot.ts";
import type { Outcome } from "./contest.ts";
import type { Figures } from "./scene.ts";
import type { FiguresOf, Study } from "./study.ts";
import { studyFlaws, studyReport, studyVerdicts } from "./study-report.ts";
import { Teardown } from "./teardown.ts";

/** A study as a command: Earshot in each mode in turn, several times over. */
export interface Inquiry extends Command {
  readonly study: Study;
}

export function inquiry(study: Study): Inquiry {
  const { name, sizes, quick, runs, modes } = study;
  return { name, sizes, quick, runs, parts: modes.map((mode) => mode.name), study };
}

export async function conduct({ command, only, runs, sizes }: Arguments<Inquiry>): Promise<Outcome> {
  const { study } = command;
  await earshot.prepare();
  const remarks = study.remarks(sizes);
  console.log([`${runs} runs of ${only.join(", ")} in turn`, ...remarks, ""].join("\n"));
  const all: FiguresOf[] = [];
  for (let run = 1; run <= runs; run++) {
    const raw = new Map<string, Figures>();
    for (const mode of only) {
      const startedMs = performance.now();
      raw.set(mode, await Teardown.after((teardown) => study.play(mode, sizes, teardown)));
      console.log(
        `run ${run}  ${mode.padEnd(6)} took ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`,
      );
    }
    all.push(study.derive(raw));
  }
  const budgets = studyVerdicts(study, all);
  const flaws = studyFlaws(study, all);
  return {
    text: studyReport(study, all),
    result: {
      study: study.name,
      version: await earshot.version(),
      remarks,
      runs: all.map((run) => Object.fromEntries(run)),
      flaws,
      budgets,
    },
    isGood: flaws.length === 0 && budgets.every(({ met }) => met),
  };
}
