import { SETTING_PATHS } from "#config/fields";
import { loadSettings } from "#config/load";
import { printSettings, shownValue } from "#config/print";
import { tellProblems } from "./tell-problems.ts";
import type { Terminal } from "./terminal.ts";
import { unknownCommand } from "./unknown-command.ts";

const ACTIONS = ["print", "check"];

/** `earshot config print|check`, with every flag of `serve`. */
export async function config(args: readonly string[], terminal: Terminal): Promise<number> {
  const [action = "", ...rest] = args;
  if (!ACTIONS.includes(action)) return unknownCommand("config", action, ACTIONS, terminal);
  const loaded = loadSettings({ args: rest, env: terminal.env }, { own: { json: "boolean" } });
  if (!loaded.ok) return tellProblems(loaded.problems, terminal);
  const { settings, origins, own } = loaded;
  if (action === "check") terminal.out("The settings are in order.");
  else if (own.json === true) {
    const shown = SETTING_PATHS.map((path) => [
      path,
      { value: shownValue(settings, path), origin: origins[path] },
    ]);
    terminal.out(JSON.stringify(Object.fromEntries(shown), undefined, 2));
  } else terminal.out(printSettings(settings, origins));
  return 0;
}
