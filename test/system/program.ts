/** One call of the program, from its start to its end. */
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = join(import.meta.dir, "../../node_modules/.bin/earshot");
const TOO_LONG_MS = 20_000;

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param env beside the environment of the test run */
export async function runEarshot(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = Bun.spawn([PROGRAM, ...args], {
    cwd: tmpdir(), // no settings file of this folder
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: TOO_LONG_MS,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { exitCode: child.exitCode, stdout, stderr };
}

/** The one line on standard error of a start that was refused. */
export async function refusedStart(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runEarshot(["serve", "--host", "127.0.0.1", ...args]);
  if (exitCode !== 1) throw new Error(`exit code ${exitCode}, not 1:\n${stdout}${stderr}`);
  if (stdout !== "") throw new Error(`a refused start prints nothing else:\n${stdout}`);
  const lines = stderr.trimEnd().split("\n");
  if (lines.length !== 1) throw new Error(`one line was wanted, not ${lines.length}:\n${stderr}`);
  return stderr.trimEnd();
}
