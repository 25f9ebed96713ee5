import { parseArgs } from "node:util";
import type { Size, Sizes } from "./scene.ts";

/** One of the commands of the bench, as far as its flags go. */
export interface Command {
  readonly name: string;
  readonly sizes: readonly Size[];
  /** What `--only` chooses from: servers, or modes. */
  readonly parts: readonly string[];
  readonly runs: number;
  /** Sizes of `--quick`, where the command has it. */
  readonly quick?: Sizes;
}

export interface Arguments<C extends Command> {
  readonly command: C;
  readonly runs: number;
  readonly only: readonly string[];
  readonly jsonFile: string | undefined;
  readonly sizes: Sizes;
}

/** @returns the arguments, or a text for the person who typed them */
export function parseArguments<C extends Command>(
  argv: readonly string[],
  commands: readonly C[],
): Arguments<C> | { readonly refusal: string } {
  const command = commands.find((known) => known.name === argv[0]);
  if (command === undefined) return { refusal: usage(commands) };
  const flags = flagsOf(argv.slice(1), command);
  if (typeof flags === "string") return { refusal: `${flags}\n\n${usage(commands)}` };

  const only = flags.texts["only"]?.split(",") ?? command.parts;
  const stranger = only.find((name) => !command.parts.includes(name));
  if (stranger !== undefined)
    return { refusal: `--only knows ${command.parts.join(", ")}, not "${stranger}"` };

  const usual = flags.isQuick ? { ...command.quick } : {};
  const sizes: Record<string, number> = {};
  for (const { flag, default: standard } of [
    ...command.sizes,
    { flag: "runs", default: flags.isQuick ? 1 : command.runs },
  ]) {
    const value = wholeNumber(flags.texts[flag], usual[flag] ?? standard);
    if (value === undefined) return { refusal: `--${flag} is a whole number, not "${flags.texts[flag]}"` };
    sizes[flag] = value;
  }
  const { runs = command.runs, ...own } = sizes;
  if (runs < 1) return { refusal: "--runs is at least 1" };
  return {
    command,
    runs,
    only: command.parts.filter((name) => only.includes(name)),
    jsonFile: flags.texts["json"],
    sizes: own,
  };
}

interface Flags {
  readonly texts: Readonly<Record<string, string | undefined>>;
  readonly isQuick: boolean;
}

function flagsOf(argv: readonly string[], command: Command): Flags | string {
  const names = ["json", "runs", "only", ...command.sizes.map((size) => size.flag)];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const quick = { type: "boolean" as const };
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: command.quick === undefined ? options : { ...options, quick },
    });
    const texts: Record<string, string> = {};
    for (const [name, value] of Object.entries(values)) if (typeof value === "string") texts[name] = value;
    return { texts, isQuick: "quick" in values };
  } catch (reason) {
    return reason instanceof Error ? reason.message : String(reason);
  }
}

function wholeNumber(text: string | undefined, usual: number): number | undefined {
  if (text === undefined) return usual;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function usage(commands: readonly Command[]): string {
  const lines = commands.map(({ name, parts, runs, quick, sizes }) => {
    const flags = `--runs ${runs} --only ${parts.join(",")}${quick === undefined ? "" : " [--quick]"}`;
    const own = sizes.map((size) => `    --${size.flag.padEnd(12)} ${size.doc} (${size.default})`);
    return [`  ${name} ${flags}`, ...own].join("\n");
  });
  const names = commands.map(({ name }) => name).join("|");
  return [`usage: npm run bench -- ${names} [FLAGS] [--json FILE]`, "", ...lines].join("\n");
}
