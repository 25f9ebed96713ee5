/** The program `earshot`. */

import { InvalidApp } from "#core/app";
import { redactText } from "#observe/redact";
import { Refused } from "#store/refused";
import { DatabaseProblem } from "#store/sql";
import { DeliveryFileProblem } from "#webhooks/delivery-file";
import manifest from "../../package.json" with { type: "json" };
import { apps } from "./apps.ts";
import { backup } from "./backup.ts";
import { config } from "./config.ts";
import { conformance } from "./conformance/command.ts";
import { serve } from "./serve.ts";
import { tail } from "./tail.ts";
import { processTerminal, type Terminal } from "./terminal.ts";
import { trigger } from "./trigger.ts";
import { unknownCommand } from "./unknown-command.ts";
import { OVERVIEW, USAGES } from "./usage.ts";
import { webhooks } from "./webhooks.ts";

type Command = (args: readonly string[], terminal: Terminal) => number | Promise<number>;

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: (args) => serve(args),
  apps,
  webhooks,
  trigger,
  tail,
  backup,
  config,
  conformance,
  help,
  version: (_args, terminal) => {
    terminal.out(manifest.version);
    return 0;
  },
};

/** Runs one command. What a person can mend is told in one line. Returns the exit code. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = "", ...rest] = args;
  if (name === "--help" || name === "-h") return help([], terminal);
  if (name === "--version" || name === "-v") return main(["version"], terminal);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return unknownCommand("", name, Object.keys(COMMANDS), terminal);
  if (asksForHelp(rest)) return help([name], terminal);
  try {
    return await command(rest, terminal);
  } catch (error) {
    terminal.err(lineOf(error, terminal));
    return 1;
  }
}

function help([command = ""]: readonly string[], terminal: Terminal): number {
  if (command === "") {
    terminal.out(OVERVIEW);
    return 0;
  }
  const usage = Object.hasOwn(USAGES, command) ? USAGES[command] : undefined;
  if (usage === undefined) return unknownCommand("", command, Object.keys(COMMANDS), terminal);
  terminal.out(usage);
  return 0;
}

/** Behind `--` stands what belongs to the command, whatever it looks like. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  return flags.includes("--help") || flags[0] === "-h";
}

/** What a person can mend; the message is one line that says how. */
const FOR_PERSONS = [Refused, InvalidApp, DatabaseProblem, DeliveryFileProblem];

function lineOf(error: unknown, terminal: Terminal): string {
  if (!(error instanceof Error)) return `Something unexpected happened: ${redactText(String(error))}`;
  if (FOR_PERSONS.some((kind) => error instanceof kind)) return error.message;
  const isDebugging = terminal.env["EARSHOT_LOG_LEVEL"] === "debug";
  return isDebugging && error.stack !== undefined
    ? redactText(error.stack)
    : `Something unexpected happened: ${redactText(error.message)}. With EARSHOT_LOG_LEVEL=debug the same command tells where.`;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2), processTerminal()));
