/** A command line taken apart: words and flags. What the flags mean is decided by who reads them. */
import { didYouMean } from "./nearest.ts";

export type FlagKind = "boolean" | "text" | "texts";

export interface CommandLine {
  readonly words: readonly string[];
  /** Every value of each flag that was given, in order; "true" or "false" for a boolean. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly string[];
}

/**
 * Reads `--flag value`, `--flag=value`, `--switch`, `--no-switch`; `--` ends the flags. A word that starts with one
 * dash is a word.
 *
 * @param known flag names without dashes
 */
export function parseCommandLine(args: readonly string[], known: ReadonlyMap<string, FlagKind>): CommandLine {
  const words: string[] = [];
  const flags = new Map<string, string[]>();
  const problems: string[] = [];
  const give = (flag: string, value: string) => {
    const before = flags.get(flag);
    if (before === undefined) flags.set(flag, [value]);
    else if (known.get(flag) === "texts") before.push(value);
    else if (before[0] !== value) problems.push(`--${flag} is given twice: give it once.`);
  };

  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      words.push(...args.slice(at + 1));
      break;
    }
    if (!arg.startsWith("--")) {
      words.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const flag = arg.slice(2, equals < 0 ? undefined : equals);
    const kind = known.get(flag);
    const negated = flag.startsWith("no-") ? flag.slice(3) : undefined;
    if (negated !== undefined && known.get(negated) === "boolean" && equals < 0) give(negated, "false");
    else if (kind === undefined) {
      const hint =
        didYouMean(
          `--${flag}`,
          [...known.keys()].map((name) => `--${name}`),
        ) || " --help lists them.";
      problems.push(`There is no flag --${flag} here.${hint}`);
      const next = args[at + 1];
      if (equals < 0 && next !== undefined && !next.startsWith("--")) at++; // most likely the unknown flag's value
    } else if (equals >= 0) give(flag, arg.slice(equals + 1));
    else if (kind === "boolean") give(flag, "true");
    else {
      const next = args[at + 1];
      if (next === undefined || next.startsWith("--"))
        problems.push(`--${flag} needs a value: --${flag} VALUE.`);
      else {
        give(flag, next);
        at++;
      }
    }
  }
  return { words, flags, problems };
}
