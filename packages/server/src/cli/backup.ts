import { loadSettings } from "#config/load";
import { backUp } from "#store/backup";
import { tellProblems } from "./tell-problems.ts";
import type { Terminal } from "./terminal.ts";

/** `earshot backup --to FOLDER`: also while the server runs. */
export function backup(args: readonly string[], terminal: Terminal): number {
  const loaded = loadSettings({ args, env: terminal.env }, { settings: ["data.dir"], own: { to: "text" } });
  if (!loaded.ok) return tellProblems(loaded.problems, terminal);
  const { to } = loaded.own;
  if (to === undefined || to === "")
    return tellProblems(["Say where the backup goes: --to FOLDER, a folder that is new or empty."], terminal);
  const files = backUp(loaded.settings["data.dir"], to);
  terminal.out(`${files.join(", ")} copied to ${to}. To restore, start a server with --data ${to}.`);
  return 0;
}
