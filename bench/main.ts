/** `npm run bench -- COMMAND`: what Earshot's work costs, beside other servers or beside itself. See README.md. */
import { parseArguments } from "./arguments.ts";
import { shortage } from "./capacity.ts";
import { contest, hold } from "./contest.ts";
import { conduct, inquiry } from "./inquiry.ts";
import { machine, machineLine } from "./machine.ts";
import { connect } from "./scenes/connect.ts";
import { fanout } from "./scenes/fanout.ts";
import { idle } from "./scenes/idle.ts";
import { latency } from "./scenes/latency.ts";
import { trigger } from "./scenes/trigger.ts";
import { gate } from "./studies/gate.ts";
import { occupancy } from "./studies/occupancy.ts";
import { Teardown } from "./teardown.ts";

const COMMANDS = [
  ...[fanout, trigger, idle, connect, latency].map(contest),
  ...[gate, occupancy].map(inquiry),
];

type Wanted = Exclude<ReturnType<typeof parsed>, { refusal: string }>;

function parsed() {
  return parseArguments(process.argv.slice(2), COMMANDS);
}

async function bench(wanted: Wanted): Promise<void> {
  const { command, sizes, jsonFile } = wanted;
  const subject = "scene" in command ? command.scene : command.study;
  const short = await shortage(subject.connections(sizes));
  if (short !== undefined) throw new Error(short);
  const startedAt = new Date().toISOString();
  const on = machine();
  console.log(`${subject.title(sizes)}\n${machineLine(on)}`);
  const { text, result, isGood } = await ("scene" in command
    ? hold({ ...wanted, command })
    : conduct({ ...wanted, command }));
  console.log(`\n${text}`);
  if (jsonFile !== undefined) {
    const all = { startedAt, machine: on, sizes, ...result };
    await Bun.write(jsonFile, `${JSON.stringify(all, rounded, 2)}\n`);
    console.log(`\nwritten to ${jsonFile}`);
  }
  if (!isGood) process.exitCode = 1;
}

/** Six digits say more than any of these figures is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}

const wanted = parsed();
if ("refusal" in wanted) {
  console.error(wanted.refusal);
  process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    void Teardown.now().finally(() => process.exit(1));
  });
}
try {
  await bench(wanted);
} catch (reason) {
  console.error(`bench: ${reason instanceof Error ? reason.message : reason}`);
  process.exit(1);
}
