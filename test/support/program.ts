/** The program `earshot`, as it is installed, in a process of its own. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutSettings } from "./environment.ts";

export type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

const PROGRAM = join(import.meta.dir, "../../node_modules/.bin/earshot");

export function hasEnded({ exitCode, signalCode }: Child): boolean {
  return exitCode !== null || signalCode !== null;
}

export function spawnProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  return Bun.spawn([PROGRAM, ...args], {
    cwd: tmpdir(), // no settings file of this folder
    // A server that npm started stops when npm is gone: so it does not outlive a test run that was killed.
    env: { ...withoutSettings(), npm_command: "test", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Appends what is written to the stream, until it ends. */
export async function collect(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) into.push(decoder.decode(bytes, { stream: true }));
}

/** Runs one command of the program to its end. @throws with what it said, where it fails */
export async function runProgram(args: readonly string[]): Promise<string> {
  const child = spawnProgram(args);
  const [out, err] = [[] as string[], [] as string[]];
  await Promise.all([collect(child.stdout, out), collect(child.stderr, err), child.exited]);
  if (child.exitCode === 0) return out.join("");
  throw new Error(`earshot ${args.join(" ")}: ${out.join("")}${err.join("")}`);
}
