/** One step of the scenario in a process of its own, in Node or in Bun. */
import { join } from "node:path";
import type { Earshot } from "../../support/earshot.ts";
import { until } from "../../support/until.ts";

export type Runtime = "node" | "bun";

export interface Step {
  /** Waits until the step has written this line. */
  says(line: string): Promise<void>;
  /** Resolves when the step has ended well. @throws with all that it wrote, where it has not */
  done(): Promise<void>;
  /** SIGKILL: its connections end without a goodbye. */
  kill(): void;
}

const SCENARIO = join(import.meta.dir, "scenario.mjs");
const STEP_MS = 45_000;

const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export function startStep(
  runtime: Runtime,
  step: string,
  earshot: Earshot,
  more: Readonly<Record<string, string>> = {},
): Step {
  const { host, port, app } = earshot;
  const address = { HOST: host, PORT: String(port), APP_ID: app.id, KEY: app.key, SECRET: app.secret };
  const program = runtime === "bun" ? process.execPath : "node";
  const child = Bun.spawn([program, SCENARIO, step], {
    env: { ...process.env, ...address, ...more },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: STEP_MS,
    killSignal: "SIGKILL",
  });
  running.add(child);
  void child.exited.then(() => running.delete(child));
  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) output += decoder.decode(bytes, { stream: true });
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  return {
    says: async (line) => {
      const isSaid = () => output.split("\n").includes(line);
      await until(`${runtime} ${step} says ${line}`, () => isSaid() || child.exitCode !== null, STEP_MS);
      if (!isSaid()) throw new Error(`${runtime} ${step} ended before it said ${line}:\n${output}`);
    },
    done: async () => {
      const code = await child.exited;
      await collected;
      if (code !== 0)
        throw new Error(`${runtime} ${step} ended with ${child.signalCode ?? code}:\n${output}`);
    },
    kill: () => child.kill("SIGKILL"),
  };
}
