import { parseArgs } from "node:util";
import type { ContenderName } from "./contenders/contender.ts";
import type { Scene, Sizes } from "./scene.ts";

export interface Arguments {
  readonly scene: Scene;
  readonly runs: number;
  readonly only: readonly ContenderName[];
  readonly jsonFile: string | undefined;
  readonly sizes: Sizes;
}

const CONTENDERS: readonly ContenderName[] = ["earshot", "bare", "soketi"];
const DEFAULT_RUNS = 3;

/** @returns the arguments, or a text for the person who typed them */
export function parseArguments(
  argv: readonly string[],
  scenes: readonly Scene[],
): Arguments | { readonly refusal: string } {
  const scene = scenes.find((known) => known.name === argv[0]);
  if (scene === undefined) return { refusal: usage(scenes) };
  const flags = flagsOf(argv.slice(1), scene);
  if (typeof flags === "string") return { refusal: `${flags}\n\n${usage(scenes)}` };

  const only = (flags["only"] ?? CONTENDERS.join(",")).split(",");
  const stranger = only.find((name) => !CONTENDERS.some((known) => known === name));
  if (stranger !== undefined) return { refusal: `--only knows ${CONTENDERS.join(", ")}, not "${stranger}"` };

  const sizes: Record<string, number> = {};
  for (const { flag, default: usual } of [...scene.sizes, RUNS]) {
    const value = wholeNumber(flags[flag], usual);
    if (value === undefined) return { refusal: `--${flag} is a whole number, not "${flags[flag]}"` };
    sizes[flag] = value;
  }
  const { runs = DEFAULT_RUNS, ...own } = sizes;
  if (runs < 1) return { refusal: "--runs is at least 1" };
  return {
    scene,
    runs,
    only: CONTENDERS.filter((name) => only.includes(name)),
    jsonFile: flags["json"],
    sizes: own,
  };
}

const RUNS = { flag: "runs", default: DEFAULT_RUNS } as const;

function flagsOf(argv: readonly string[], scene: Scene): Record<string, string | undefined> | string {
  const names = ["json", "runs", "only", ...scene.sizes.map((size) => size.flag)];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (reason) {
    return reason instanceof Error ? reason.message : String(reason);
  }
}

function wholeNumber(text: string | undefined, usual: number): number | undefined {
  if (text === undefined) return usual;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function usage(scenes: readonly Scene[]): string {
  const lines = scenes.map((scene) => {
    const sizes = scene.sizes.map((size) => `    --${size.flag.padEnd(12)} ${size.doc} (${size.default})`);
    return [`  ${scene.name}`, ...sizes].join("\n");
  });
  return [
    `usage: npm run bench -- ${scenes.map((scene) => scene.name).join("|")} [--runs N] [--only ${CONTENDERS.join(",")}] [--json FILE]`,
    "",
    ...lines,
  ].join("\n");
}
