import type { Terminal } from "./terminal.ts";

/** Each problem of a command line on its own line. Returns the exit code. */
export function tellProblems(problems: readonly string[], terminal: Terminal): number {
  for (const problem of problems) terminal.err(problem);
  return 1;
}
