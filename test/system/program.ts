/** One call of the program, from its start to its end, whichever that is. */
import { collect, spawnProgram } from "../support/program.ts";

const TOO_LONG_MS = 20_000;

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runEarshot(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawnProgram(args, env);
  const tooLong = setTimeout(() => child.kill("SIGKILL"), TOO_LONG_MS);
  const [out, err] = [[] as string[], [] as string[]];
  await Promise.all([collect(child.stdout, out), collect(child.stderr, err), child.exited]);
  clearTimeout(tooLong);
  return { exitCode: child.exitCode, stdout: out.join(""), stderr: err.join("") };
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
