/** `npm run bench -- SCENE`: the same work for each server in turn, several times over, and what it cost them. See README.md. */
import { type Arguments, parseArguments } from "./arguments.ts";
import { shortage } from "./capacity.ts";
import { bare } from "./contenders/bare.ts";
import type { Contender } from "./contenders/contender.ts";
import { earshot } from "./contenders/earshot.ts";
import { soketi } from "./contenders/soketi.ts";
import { foreignLoadPercent } from "./foreign-load.ts";
import { type LoadPriority, LoadProcess } from "./load-process.ts";
import { machine, machineLine } from "./machine.ts";
import { report, verdicts } from "./report.ts";
import type { Figures } from "./scene.ts";
import { connect } from "./scenes/connect.ts";
import { fanout } from "./scenes/fanout.ts";
import { idle } from "./scenes/idle.ts";
import { latency } from "./scenes/latency.ts";
import { trigger } from "./scenes/trigger.ts";
import { ServerProcess } from "./server-process.ts";
import type { Runs } from "./verdict.ts";

const SCENES = [fanout, trigger, idle, connect, latency];
const CONTENDERS = [earshot, bare, soketi];

const nothing = (): Promise<void> => Promise.resolve();
/** Ends what the run under way has started. */
let stopAll = nothing;

async function play(contender: Contender, { scene, sizes }: Arguments): Promise<Figures> {
  const busyPercent = await foreignLoadPercent();
  const server = await ServerProcess.start(contender);
  const loads: LoadProcess[] = [];
  const startLoad = async (priority: LoadPriority = "usual"): Promise<LoadProcess> => {
    const load = await LoadProcess.start(server.target, priority);
    loads.push(load);
    return load;
  };
  stopAll = async () => {
    await Promise.all(loads.map((load) => load.stop()));
    await server.stop();
  };
  try {
    return { ...(await scene.play({ server, startLoad }, sizes)), busyPercent: Math.round(busyPercent) };
  } finally {
    await stopAll();
    stopAll = nothing;
  }
}

async function bench(wanted: Arguments): Promise<void> {
  const { scene, sizes, runs } = wanted;
  const contenders = CONTENDERS.filter((contender) => wanted.only.includes(contender.name));
  const short = await shortage(scene.connections(sizes));
  if (short !== undefined) throw new Error(short);
  for (const contender of contenders) await contender.prepare();

  const startedAt = new Date().toISOString();
  const on = machine();
  console.log(
    `${scene.title(sizes)}\n${machineLine(on)}\n${runs} runs of ${wanted.only.join(", ")} in turn\n`,
  );
  const figures = new Map<Contender, Figures[]>(contenders.map((contender) => [contender, []]));
  for (let run = 1; run <= runs; run++) {
    for (const contender of contenders) {
      const done = await play(contender, wanted);
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
  console.log(`\n${report(scene, all)}`);
  if (wanted.jsonFile !== undefined) {
    const result = {
      scene: scene.name,
      startedAt,
      machine: on,
      sizes,
      runs: all,
      budgets: verdicts(scene, all),
    };
    await Bun.write(wanted.jsonFile, `${JSON.stringify(result, rounded, 2)}\n`);
    console.log(`\nwritten to ${wanted.jsonFile}`);
  }
}

/** Six digits say more than any of these figures is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}

const wanted = parseArguments(process.argv.slice(2), SCENES);
if ("refusal" in wanted) {
  console.error(wanted.refusal);
  process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    void stopAll().finally(() => process.exit(1));
  });
}
try {
  await bench(wanted);
} catch (reason) {
  console.error(`bench: ${reason instanceof Error ? reason.message : reason}`);
  process.exit(1);
}
