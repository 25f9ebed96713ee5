import type { Arguments, Command } from "./arguments.ts";
import { bare } from "./contenders/bare.ts";
import type { Contender } from "./contenders/contender.ts";
import { earshot } from "./contenders/earshot.ts";
import { soketi } from "./contenders/soketi.ts";
import { foreignLoadPercent } from "./foreign-load.ts";
import { startLoad } from "./load-process.ts";
import { report, verdicts } from "./report.ts";
import type { Figures, Scene, Sizes } from "./scene.ts";
import { ServerProcess } from "./server-process.ts";
import { Teardown } from "./teardown.ts";
import type { Runs } from "./verdict.ts";

const CONTENDERS = [earshot, bare, soketi];
const USUAL_RUNS = 3;

/** A scene as a command: the same work for each server in turn, several times over. */
export interface Contest extends Command {
  readonly scene: Scene;
}

export function contest(scene: Scene): Contest {
  const { name, sizes } = scene;
  return { name, sizes, parts: CONTENDERS.map((contender) => contender.name), runs: USUAL_RUNS, scene };
}

/** What a command says at its end, and what it leaves in a file. */
export interface Outcome {
  readonly text: string;
  readonly result: object;
  /** False where a budget was missed that this command answers for with its exit code. */
  readonly isGood: boolean;
}

export async function hold({ command, only, runs, sizes }: Arguments<Contest>): Promise<Outcome> {
  const { scene } = command;
  const contenders = CONTENDERS.filter((contender) => only.includes(contender.name));
  for (const contender of contenders) await contender.prepare();
  console.log(`${runs} runs of ${only.join(", ")} in turn\n`);
  const figures = new Map<Contender, Figures[]>(contenders.map((contender) => [contender, []]));
  for (let run = 1; run <= runs; run++) {
    for (const contender of contenders) {
      const done = await play(contender, scene, sizes);
      figures.get(contender)?.push(done);
      console.log(
        `run ${run}  ${contender.name.padEnd(8)}${scene.columns.map((column) => `  ${column.title} ${done[column.figure]?.toFixed(column.digits)}`).join("")}`,
      );
    }
  }
  const all: Runs[] = await Promise.all(
    contenders.map(async (contender) => ({
      contender: contender.name,
      version: await contender.version(),
      figures: figures.get(contender) ?? [],
    })),
  );
  return {
    text: report(scene, all),
    result: { scene: scene.name, runs: all, budgets: verdicts(scene, all) },
    isGood: true, // a README says which budgets are not met, and why
  };
}

async function play(contender: Contender, scene: Scene, sizes: Sizes): Promise<Figures> {
  const busyPercent = await foreignLoadPercent();
  return await Teardown.after(async (teardown) => {
    const server = await ServerProcess.start(contender);
    teardown.add(() => server.stop());
    const stage = {
      server,
      startLoad: async (priority: "usual" | "behind" = "usual") => {
        const load = await startLoad(server.target, priority);
        teardown.add(() => load.stop());
        return load;
      },
    };
    return { ...(await scene.play(stage, sizes)), busyPercent: Math.round(busyPercent) };
  });
}
